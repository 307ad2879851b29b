/** Signals at moments and to processes that nobody expects. */
import { deepEqual, doesNotMatch, equal } from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startGateway } from '../gateway.ts';
import { runCli } from '../program.ts';

const patience = { timeout: 180_000 };
const UNDERSTOOD = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

test('what is meant for the supervisor but reaches its whole group does nothing to workers', patience, async (t) => {
  const gateway = await startGateway({
    workers: 2,
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { one: { endpoints: [{ url: 'http://127.0.0.1:1' }] } },
    routes: [{ name: 'all', upstream: 'one' }],
  });
  t.after(() => gateway.stop());
  const pids = async () => {
    const response = await fetch(`${gateway.adminUrl}/api/status`);
    return ((await response.json()) as { workers: { pid: number }[] }).workers.map(({ pid }) => pid);
  };
  const before = await pids();
  for (const signal of [...UNDERSTOOD, 'SIGINT'] as const) for (const pid of before) process.kill(pid, signal);
  await setTimeout(500);
  deepEqual(await pids(), before);
  doesNotMatch(gateway.logs, /Debugger|replaced/);
});

test('signals before it is ready: it goes on starting', patience, async (t) => {
  const bucket = createServer().listen(0, '127.0.0.1');
  t.after(() => bucket.close());
  await once(bucket, 'listening');
  const { port } = bucket.address() as AddressInfo;
  const env = { AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}` };
  const program = runCli(['serve', '-c', 's3://settings/gatehouse.yaml'], env);
  t.after(() => program.stop());
  await once(bucket, 'request');
  for (const signal of UNDERSTOOD) program.child.kill(signal);
  await setTimeout(500);
  equal(program.child.exitCode ?? program.child.signalCode, null);
  doesNotMatch(program.logs, /Debugger/);
});
