import { match } from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startGateway } from '../gateway.ts';

test('a worker whose event loop is stuck says where', { timeout: 60_000 }, async (t) => {
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
      upstreams: { one: { endpoints: [{ url: 'http://127.0.0.1:1' }] } },
      routes: [{ name: 'all', upstream: 'one' }],
    },
    { env: { NODE_OPTIONS: `--require=${preload}` } },
  );
  t.after(() => gateway.stop());
  const { workers } = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { workers: { pid: number }[] };
  const pid = workers[0]?.pid as number;
  process.kill(pid, 'SIGWINCH');
  const [line] = await gateway.waitFor(/.*the event loop has been stuck for .*/);
  match(line, /worker 1: the event loop has been stuck for [5-9] s, at endless \(.*preload\.cjs:\d+\)/);
  process.kill(pid, 'SIGKILL');
  await gateway.waitFor(/was killed by SIGKILL; it is replaced/);
});
