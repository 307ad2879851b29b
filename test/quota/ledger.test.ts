/** The usage ledger on real processes: what was answered stands in it, each request once, whatever dies between. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { ledgerOf } from './money.fixture.ts';

const PRICES = { models: { m: { input: '3', output: '15', perRequest: '0.01' } } };

async function serving(folder: string, more: Record<string, unknown> = {}, simulate: string[] = []) {
  const simulator = await startSimulator('--model', 'm', '--ttft', '0', ...simulate);
  const settings = {
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 2,
    upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    models: { m: { versions: [{ name: 'v', upstream: 'sim' }] } },
    routes: [{ name: 'ai', match: { path: '/v1/*' }, models: ['m'] }],
    prices: PRICES,
    log: { access: 'off' },
    ...more,
  };
  const start = () => startGateway(settings, { env: { XDG_STATE_HOME: folder } });
  return { simulator, start };
}

const ask = (gateway: Gateway, body: Record<string, unknown> = {}) =>
  fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 5, ...body }),
  });

const folderFor = (t: { after(fn: () => void): void }) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-ledger-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const workerPids = async (gateway: Gateway): Promise<number[]> => {
  const status = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { workers: { pid: number }[] };
  return status.workers.map(({ pid }) => pid);
};

/** Kills the supervisor and its workers at once, as a machine that fails does. */
async function killWhole(gateway: Gateway): Promise<void> {
  const pids = await workerPids(gateway);
  const gone = once(gateway.child, 'exit');
  for (const pid of [gateway.child.pid as number, ...pids]) process.kill(pid, 'SIGKILL');
  await gone;
  gateway.child.stdout?.destroy();
  gateway.child.stderr?.destroy();
}

test('every request that was answered stands in the ledger once, though workers and the supervisor are killed', async (t) => {
  const folder = folderFor(t);
  const { simulator, start } = await serving(folder);
  t.after(() => simulator.stop());
  let gateway = await start();
  t.after(() => gateway.stop());
  const answered = new Map<string, number>();
  let broken = 0;
  const call = async () => {
    try {
      const answer = await ask(gateway);
      const { usage } = (await answer.json()) as { usage: { prompt_tokens: number; completion_tokens: number } };
      if (answer.status !== 200) return;
      const cost = usage.prompt_tokens * 3000 + usage.completion_tokens * 15_000 + 10_000_000;
      answered.set(answer.headers.get('x-request-id') as string, cost);
    } catch {
      broken++;
    }
  };
  for (let round = 0; round < 4; round++) {
    const calls = Array.from({ length: 60 }, async (_, i) => {
      await setTimeout(i * 3);
      await call();
    });
    const [pid] = await workerPids(gateway);
    await setTimeout(60 + round * 30);
    if (round === 2) {
      await killWhole(gateway);
      await Promise.all(calls);
      gateway = await start();
    } else {
      process.kill(pid as number, 'SIGKILL');
      await Promise.all(calls);
      await setTimeout(300);
    }
  }
  await gateway.stop();
  const entries = await ledgerOf(folder);
  const byRequest = new Map(entries.map((entry) => [(entry.detail as { request: string }).request, entry]));
  assert.equal(byRequest.size, entries.length, 'each once');
  for (const [id, cost] of answered) assert.equal(byRequest.get(id)?.cost, cost, `request ${id}`);
  assert.ok(
    entries.length >= answered.size && entries.length <= answered.size + broken,
    `${entries.length} ${answered.size} ${broken}`,
  );
  assert.ok(answered.size > 100);
  assert.deepEqual(readdirSync(join(folder, 'gatehouse', 'usage')), []);
});

test('a budget is never exceeded by parallel calls, nor after a kill of the supervisor; each alert comes once', async (t) => {
  const folder = folderFor(t);
  const budgets = [
    { name: 'all', key: 'resource', credits: '1/day' },
    { name: 'team', key: 'header:x-team', credits: '0.1/month' },
  ];
  // 5 + 5 tokens and 0.01 for each request.
  const { simulator, start } = await serving(folder, { budgets });
  t.after(() => simulator.stop());
  const first = await start();
  t.after(() => first.stop());
  const spend = async (gateway: Gateway) => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, () =>
        fetch(`${gateway.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-team': 'blue' },
          body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 5 }),
        }),
      ),
    );
    const refused = answers.find(({ status }) => status === 429);
    const problem = refused && ((await refused.json()) as { error: { type: string; message: string } }).error;
    return { passed: answers.filter(({ status }) => status === 200).length, refused, problem };
  };
  const { passed, refused, problem } = await spend(first);
  assert.ok(passed >= 1 && passed <= 9, `${passed} passed`);
  assert.equal(problem?.type, 'insufficient_quota');
  assert.match(problem?.message ?? '', /budget team/);
  assert.equal(refused?.headers.get('x-should-retry'), 'true');
  // What was reserved too much comes back: now the rest passes, one by one.
  let sum = passed;
  for (let i = 0; i < 12; i++) {
    await setTimeout(60);
    if ((await spendOne(first)) === 200) sum++;
  }
  assert.equal(sum, 9, 'nine requests of 0.01 and some tokens fit into 0.1');
  await first.waitFor(/budget team: 80 %/);
  await killWhole(first);
  const second = await start();
  t.after(() => second.stop());
  assert.equal(await spendOne(second), 429, 'what was spent before the kill is known');
  await setTimeout(1500);
  assert.doesNotMatch(second.logs, /budget team: (50|80) %/);
  assert.equal((await ledgerOf(folder)).length, 9);
});

const spendOne = async (gateway: Gateway): Promise<number> => {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-team': 'blue' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 5 }),
  });
  await answer.text();
  return answer.status;
};
