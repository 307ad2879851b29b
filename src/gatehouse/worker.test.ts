import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatehouseError } from '../kernel/error.ts';
import { makeWorker } from './pipeline.fixture.ts';

test('drain waits until the last exchange has ended', async () => {
  const { worker, clock, send } = makeWorker();
  const { forwarded, exchange } = send('POST /v1/chat/completions', [], '{"model":"m"}');
  assert.ok(forwarded);
  let quiet = false;
  const drained = worker.drain(10_000).then(() => {
    quiet = true;
  });
  clock.advance(5000);
  await Promise.resolve();
  assert.equal(quiet, false);
  forwarded.ended(exchange, 'completed', undefined);
  clock.advance(100);
  await drained;
});

test('drain is over at its deadline, whatever is under way', async () => {
  const { worker, clock, send } = makeWorker();
  send('POST /v1/chat/completions', [], '{"model":"m"}');
  const drained = worker.drain(1000);
  clock.advance(1100);
  await drained;
});

test('a request that could not be parsed is answered, counted and has an id', () => {
  const { worker, ended, come } = makeWorker();
  const { exchange, client } = come('GET /');
  worker.onRefused(exchange, new GatehouseError('bad_request', 'A bare LF.'));
  assert.equal(client.answered?.status, 400);
  assert.match(exchange.id, /^id-/);
  assert.deepEqual(ended, [exchange]);
});

test('a client that left before anything happened is counted once', () => {
  const { worker, ended, come } = makeWorker();
  const { exchange, client } = come('GET /');
  for (let i = 0; i < 2; i++) worker.onAborted(exchange, new GatehouseError('client_closed', 'It has gone.'));
  assert.deepEqual(ended, [exchange]);
  assert.equal(exchange.outcome, 'client_aborted');
  assert.equal(client.aborted, true);
});

test('request ids are unique; the date is the wall clock to the second', () => {
  const { worker, clock } = makeWorker();
  assert.equal(new Set(Array.from({ length: 1000 }, () => worker.requestId())).size, 1000);
  const before = worker.httpDate();
  clock.advance(999);
  assert.equal(worker.httpDate(), before);
  clock.advance(1);
  assert.equal(Date.parse(worker.httpDate()) - Date.parse(before), 1000);
});

test('health of an endpoint reaches its upstream; unknown names are ignored', () => {
  const { worker } = makeWorker();
  worker.endpoints.setHealth('nobody', '10.0.0.1:80', false, 'down');
  worker.endpoints.setHealth('gpu', '10.0.0.1', false, 'down');
  worker.endpoints.setHealth('gpu', 'nobody', false, 'down');
  const [endpoint] = worker.snapshot.upstreams.get('gpu')?.endpoints ?? [];
  assert.equal(endpoint?.id, '10.0.0.1');
  assert.equal(endpoint?.available, false);
});

test('listening under a name that is not configured is refused', async () => {
  const { worker } = makeWorker();
  await assert.rejects(worker.doors.listen('other', { port: 0 }), /there is no listener other/);
  assert.equal(worker.doors.address('other'), null);
});
