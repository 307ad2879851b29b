import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../gateway.ts';
import { startEcho, startTraffic } from '../traffic.ts';

test('a worker beyond its memory is replaced, and nothing is lost', { timeout: 180_000 }, async (t) => {
  const echo = await startEcho();
  t.after(() => echo.close());
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    // Less than any worker holds: each is replaced as soon as it may be.
    workerMemory: '10MiB',
    upstreams: { one: { retries: { attempts: 1 }, endpoints: [{ url: echo.url }] } },
    routes: [{ name: 'all', upstream: 'one' }],
  });
  t.after(() => gateway.stop());
  const traffic = startTraffic({ port: gateway.port, keepAlive: 2, fresh: 2, streams: 2, pause: 5 });
  t.after(() => traffic.stop());
  await gateway.waitFor(/worker 1 holds \d+MiB, more than workerMemory \(10MiB\); it is replaced/);
  await gateway.metricReaches('gatehouse_worker_exits_total{reason="drained"}', 1);
  const { refused, reset, wrong, cut, losses } = await traffic.stop();
  deepEqual({ refused, reset, wrong, cut }, { refused: 0, reset: 0, wrong: 0, cut: 0 }, losses.join('\n'));
});
