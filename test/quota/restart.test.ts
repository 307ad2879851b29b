/** What limits have counted outlives the process: kill -9 and start again, and upgrades. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { NOON } from './noon.ts';

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

async function passing(gateway: Gateway, calls: number): Promise<number> {
  const answers = await Promise.all(
    Array.from({ length: calls }, () =>
      fetch(`${gateway.url}/v1/models`, { headers: { connection: 'close' } })
        .then((answer) => answer.text().then(() => answer.status))
        .catch(() => 0),
    ),
  );
  return answers.filter((status) => status === 200).length;
}

const configOf = (simulator: string, address: string, limits: readonly Record<string, unknown>[]) => ({
  listeners: { public: { address } },
  workers: 2,
  drainTimeout: '2s',
  upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator }] } },
  routes: [{ name: 'ai', match: { path: '/*' }, upstream: 'sim', limits }],
});

for (const limit of ['60/day', { requests: '60/day', window: 'calendar', timeZone: NOON }]) {
  const said = typeof limit === 'string' ? { requests: limit } : limit;
  test(`kill -9 in a day's window (${JSON.stringify(said)}), start again: not one more than the limit`, async (t) => {
    const simulator = await startSimulator('--model', 'm', '--ttft', '0');
    t.after(() => simulator.stop());
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-limits-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const config = configOf(simulator.url, '127.0.0.1:0', [{ key: 'resource', ...said }]);
    const options = { env: { STATE_DIRECTORY: folder } };
    let passed = 0;
    for (let life = 0; life < 2; life++) {
      const gateway = await startGateway(config, options);
      t.after(() => gateway.stop());
      passed += await passing(gateway, 25);
      const gone = once(gateway.child, 'exit');
      gateway.child.kill('SIGKILL');
      await gone;
    }
    assert.ok(passed >= 45 && passed <= 60, `${passed} of 60`);
    const last = await startGateway(config, options);
    t.after(() => last.stop());
    passed += await passing(last, 100);
    assert.ok(passed <= 60 && passed >= 50, `${passed} of 60`);
  });
}

test('an upgrade forgets nothing that was counted', async (t) => {
  const simulator = await startSimulator('--model', 'm', '--ttft', '0');
  t.after(() => simulator.stop());
  const config = configOf(simulator.url, '127.0.0.1:0', [
    { name: 'minutes', key: 'resource', requests: '100/20m' },
    { name: 'day', key: 'resource', requests: '1000/day' },
  ]);
  const gateway = await startGateway(config);
  t.after(() => gateway.stop());
  let passed = await passing(gateway, 60);
  assert.equal(passed, 60);
  gateway.child.kill('SIGUSR1');
  const until = performance.now() + 120_000;
  const successor = () => /process (\d+) has taken over/.exec(gateway.logs)?.[1];
  t.after(() => successor() !== undefined && process.kill(Number(successor()), 'SIGTERM'));
  while (successor() === undefined && performance.now() < until) {
    passed += await passing(gateway, 1);
    await pause(100);
  }
  assert.ok(successor() !== undefined, gateway.logs);
  await pause(500);
  passed += await passing(gateway, 150);
  assert.ok(passed <= 100 && passed >= 75, `${passed} of 100`);
});
