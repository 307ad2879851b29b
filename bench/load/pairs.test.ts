import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Target } from './channel.ts';
import { runPairs } from './pairs.ts';

test('sides take turns, each turn with its own requests and CPU time; what is wrong is counted', async (t) => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const { host = '' } = request.headers;
    if (seen.at(-1) !== host) seen.push(host);
    response.statusCode = host === 'b.test' && seen.length > 40 ? 500 : 200;
    response.end('answer');
  }).listen(0, '127.0.0.1');
  // What idles while the machine does other things is kept.
  server.keepAliveTimeout = 0;
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const target = (host: string): Target => ({
    ...{ host: '127.0.0.1', port, bodyBytes: 200, expectBytes: 6 },
    heads: [`POST / HTTP/1.1\r\nHost: ${host}\r\n`],
  });
  const sides = [target('a.test'), target('b.test')].map((to) => ({ target: to, pids: [process.pid] }));
  const order = { do: 'pairs' as const, sides, connections: 2, sliceMs: 10, warmUp: { requests: 1, most: 20 } };
  const { slices, errors } = await runPairs({ ...order, bouts: 3 });
  assert.deepEqual(errors, {});
  assert.deepEqual(
    slices.map(({ side }) => side),
    [0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1, 0],
  );
  assert.ok(slices.every(({ requests, wall }) => requests > 0 && wall > 0));
  const cpu = slices.reduce((sum, slice) => sum + slice.cpu, 0);
  assert.ok(cpu > 0 && Number.isFinite(cpu));
  // A side never asks in the turn of another.
  assert.deepEqual(seen.slice(0, 2), ['a.test', 'b.test']);
  seen.push(...new Array<string>(50).fill(''));
  const wrong = await runPairs({ ...order, bouts: 1 });
  assert.ok((wrong.errors['status 500'] ?? 0) > 0);
});
