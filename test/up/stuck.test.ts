import { equal, match, ok } from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startGateway } from '../gateway.ts';
import { startEcho } from '../traffic.ts';

test('a worker whose event loop is stuck says where, is killed and replaced', { timeout: 180_000 }, async (t) => {
  const echo = await startEcho();
  t.after(() => echo.close());
  // What no request can do today is put into the worker from outside: a handler that never ends.
  const preload = join(mkdtempSync(join(tmpdir(), 'gatehouse-stuck-')), 'preload.cjs');
  writeFileSync(
    preload,
    `if (process.argv[1]?.endsWith('worker.js')) process.on('SIGWINCH', function endless() {
       for (const end = Date.now() + 60_000; Date.now() < end; );
     });`,
  );
  const gateway = await startGateway(
    {
      listeners: { public: { address: '127.0.0.1:0' } },
      workers: 2,
      // Long after it says where it is stuck, however slow the machine.
      workerSilence: '20s',
      upstreams: { one: { retries: { attempts: 1 }, endpoints: [{ url: echo.url }] } },
      routes: [{ name: 'all', upstream: 'one' }],
    },
    { env: { NODE_OPTIONS: `--require=${preload}` } },
  );
  t.after(() => gateway.stop());
  const before = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as {
    workers: { id: string; pid: number; state: string }[];
  };
  const pid = before.workers.find(({ id }) => id === '1')?.pid as number;
  const restarts = await gateway.metric('gatehouse_worker_exits_total');
  process.kill(pid, 'SIGWINCH');
  const [line] = await gateway.waitFor(/.*the event loop has been stuck for .*/);
  match(line, /worker 1: the event loop has been stuck for [5-9] s, at endless \(.*preload\.cjs:\d+\)/);
  await gateway.waitFor(/worker 1 has been silent for 20 s; it is killed/);
  await gateway.waitFor(/worker 1 \(pid \d+\) was killed by SIGKILL; it is replaced at once/);
  equal(await gateway.metricReaches('gatehouse_worker_exits_total{reason="SIGKILL"}', 1), restarts + 1);
  const ready = async () => {
    const status = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as typeof before;
    return status.workers.filter((worker) => worker.state === 'ready').map(({ id }) => id);
  };
  while ((await ready()).length < 2) await setTimeout(50);
  ok(!(await ready()).includes('1'));
  // Nobody waits for it any more: what it had accepted is cut, and the rest is served.
  for (let i = 0; i < 20; i++) equal(await (await fetch(`${gateway.url}/echo/${i}`)).text(), `${i}`);
});
