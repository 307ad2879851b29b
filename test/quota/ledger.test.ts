/** The usage ledger on real processes: what was answered stands in it, each request once, whatever dies between. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { kill, killSupervisor, ledgerOf, until, workerPids } from './money.fixture.ts';
import { NOON } from './noon.ts';
import { serve } from './server.fixture.ts';

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

/** Kills the supervisor and its workers at once, as a machine that fails does. */
const killWhole = async (gateway: Gateway) => killSupervisor(gateway, await workerPids(gateway));

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
      await setTimeout(20);
    }
  };
  const more = async () => {
    const enough = answered.size + 15;
    await until('answers', async () => answered.size >= enough);
  };
  for (let round = 0; round < 4; round++) {
    let over = false;
    const clients = Array.from({ length: 12 }, async () => {
      while (!over) await call();
    });
    await more();
    if (round === 2) {
      await killWhole(gateway);
      over = true;
      await Promise.all(clients);
      gateway = await start();
    } else {
      const [pid] = await workerPids(gateway);
      kill(pid as number);
      await more();
      over = true;
      await Promise.all(clients);
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
  const upstream = await holding(t);
  const budgets = [
    { name: 'all', key: 'resource', credits: '1/day', timeZone: NOON },
    { name: 'team', key: 'header:x-team', credits: '0.1/month', timeZone: NOON },
  ];
  // 5 + 5 tokens and 0.01 for each request.
  const { simulator, start } = await serving(folder, {
    budgets,
    upstreams: { sim: { protocol: 'openai', endpoints: [{ url: upstream.url }] } },
  });
  t.after(() => simulator.stop());
  const first = await start();
  t.after(() => first.stop());
  const refusals: Refusal[] = [];
  const calls = Array.from({ length: 30 }, async () => {
    const refusal = await spendOne(first);
    if (refusal) refusals.push(refusal);
  });
  // What passes is held by the server, so what is refused is refused while others are under way.
  await until('who passed is held, the others are refused', async () => refusals.length + upstream.held() === 30);
  upstream.release();
  await Promise.all(calls);
  let passed = 30 - refusals.length;
  assert.ok(passed >= 1 && passed <= 9, `${passed} passed`);
  for (const { status, type, message, again } of refusals) {
    assert.deepEqual({ status, type, again }, { status: 429, type: 'insufficient_quota', again: 'true' });
    assert.match(message, /budget team is reserved for requests under way/);
  }
  // What was reserved too much comes back: now the rest passes, one by one.
  for (let i = 0; i < 12; i++) {
    await setTimeout(60);
    if (!(await spendOne(first))) passed++;
  }
  assert.equal(passed, 9, 'nine requests of 0.01 and some tokens fit into 0.1');
  await first.waitFor(/budget team: 80 %/);
  await killWhole(first);
  const second = await start();
  t.after(() => second.stop());
  const refusal = await spendOne(second);
  assert.equal(refusal?.status, 429, 'what was spent before the kill is known');
  assert.equal(refusal.again, 'false', 'nothing is under way that could come back');
  await setTimeout(1500);
  assert.doesNotMatch(second.logs, /budget team: (50|80) %/);
  await second.stop();
  assert.equal((await ledgerOf(folder)).length, 9);
});

interface Refusal {
  status: number;
  type: string;
  message: string;
  again: string | null;
}

/** A request of the team; undefined: it passed. */
const spendOne = async (gateway: Gateway): Promise<Refusal | undefined> => {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-team': 'blue' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 5 }),
  });
  if (answer.status === 200) return void (await answer.text());
  const { error } = (await answer.json()) as { error: { type: string; message: string } };
  return { status: answer.status, ...error, again: answer.headers.get('x-should-retry') };
};

/** A server that answers nothing before it is told to, and everything at once from then on. */
async function holding(t: TestContext) {
  const waiting: (() => void)[] = [];
  let open = false;
  const answer = {
    object: 'chat.completion',
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'one two three' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 },
  };
  const url = await serve(t, (request, response) => {
    response.setHeader('content-type', 'application/json');
    const send = () => response.end(JSON.stringify(answer));
    request.resume().on('end', () => (open ? send() : waiting.push(send)));
  });
  const release = () => {
    open = true;
    for (const send of waiting) send();
  };
  return { url, held: () => waiting.length, release };
}
