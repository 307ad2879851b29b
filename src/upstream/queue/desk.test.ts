/** One queue by its authority and one worker, step by step: who is called, who is told what, and what operators see. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import type { ErrorCode, GatehouseError } from '../../kernel/error.ts';
import { Events, type QueueLeftEvent } from '../../kernel/event.ts';
import { Deadlines } from '../../socket/deadlines.ts';
import { upstreamConfig } from '../config.ts';
import { QueueAuthority } from './authority.ts';
import { Queues } from './queue.ts';
import type { Seats } from './seats.ts';
import type { UpstreamQueue } from './upstreamqueue.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One place, and a worker that is told everything at once. */
function makeQueue(settings: object = {}) {
  const clock = new ManualClock(0, 1);
  const events = new Events();
  const left: QueueLeftEvent['end'][] = [];
  events.on('queueLeft', ({ end }) => left.push(end));
  const config = upstreamConfig.parse({
    endpoints: [{ url: 'http://10.0.0.1', name: 'e', maxConcurrency: 1 }],
    queue: settings,
  });
  const authority = new QueueAuthority(clock, (note) => queues.told(note));
  authority.configure({ up: config }, 1);
  const queues: Queues = new Queues({
    clock,
    events,
    deadlines: new Deadlines(clock),
    ask: async (said) => (silent ? undefined : authority.serve(0, said)),
  });
  const queue = queues.of('up', config) as UpstreamQueue;
  let down = false;
  let silent = false;
  queue.adopt(
    config,
    () => (down ? [] : ['e']),
    () => down,
  );
  const called: string[] = [];
  const refused = new Map<string, GatehouseError>();
  const enter = async (
    name: string,
    more: { priority?: number; patienceMs?: number; movable?: boolean; tenant?: string } = {},
  ) => {
    const order = {
      priority: 50,
      tenant: 't',
      weight: 1,
      cost: 1,
      patienceMs: 1e6,
      waitedMs: 0,
      movable: false,
      ...more,
    };
    const ticket = queue.enter(order, (error) => {
      if (error !== undefined) refused.set(name, error);
      else {
        called.push(name);
        seats.take();
      }
    });
    await turn();
    return ticket;
  };
  const seats: Seats = queue.seats('e');
  /** The request under way has ended after so long. */
  const serve = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10) clock.advance(10);
    seats.free();
    await turn();
    await turn();
  };
  const fail = (name: string): [ErrorCode | undefined, ...(string | undefined)[]] => {
    const error = refused.get(name);
    const field = (wanted: string) => error?.fields?.find(([one]) => one === wanted)?.[1];
    return [error?.code, field('x-gatehouse-queue-position'), field('x-gatehouse-queue-wait')];
  };
  const takeAway = () => {
    down = true;
    queue.changed();
  };
  const silence = () => {
    silent = true;
  };
  return { clock, authority, queue, silence, left, called, enter, serve, fail, takeAway };
}

test('who cannot have its turn in time is refused at once, with its position and the wait that is expected', async () => {
  const { enter, serve, called, fail, left } = makeQueue({ wait: '1h' });
  await enter('first');
  // Twenty turns of 100 ms, and it is known how long one takes.
  for (let i = 0; i < 25; i++) await enter(`r${i}`);
  for (let i = 0; i < 22; i++) await serve(100);
  assert.equal(called.length, 23);
  for (let i = 25; i < 55; i++) await enter(`r${i}`);
  await enter('hasty', { patienceMs: 1000 });
  // 33 wait: about 34 turns of 100 ms.
  assert.deepEqual(fail('hasty'), ['queue_full', '34', '4']);
  assert.equal(left.at(-1), 'late');
  // What is more important stands before them, and has time enough.
  await enter('live', { priority: 90, patienceMs: 1000 });
  await serve(100);
  assert.equal(called.at(-1), 'live');
});

test('a tenant of whom little waits is not refused for all that waits of another', async () => {
  const { enter, serve, fail } = makeQueue({ wait: '1h' });
  await enter('first');
  for (let i = 0; i < 60; i++) await enter(`r${i}`);
  for (let i = 0; i < 22; i++) await serve(100);
  await enter('hasty', { patienceMs: 1500 });
  assert.equal(fail('hasty')[0], 'queue_full');
  await enter('other', { patienceMs: 1500, tenant: 'u' });
  assert.equal(fail('other')[0], undefined);
});

test('who is less important is refused by what the more important leave, and only while they do', async () => {
  const { enter, serve, called, fail } = makeQueue({ wait: '1h', agedShare: '0%' });
  await enter('first');
  // Each turn goes to one who has come since.
  for (let i = 0; i < 60; i++) {
    await enter(`r${i}`, { priority: 90 });
    await serve(100);
  }
  await enter('late', { priority: 90 });
  await enter('test', { priority: 10, patienceMs: 2000 });
  assert.deepEqual(fail('test').slice(0, 2), ['queue_full', '2']);
  assert.ok(Number(fail('test')[2]) > 2);
  await enter('patient', { priority: 10 });
  await enter('another', { priority: 10 });
  for (let i = 0; i < 3; i++) await serve(100);
  assert.deepEqual(called.slice(-2), ['patient', 'another']);
  for (let i = 0; i < 40; i++) {
    await enter(`t${i}`, { priority: 10 });
    await serve(100);
  }
  await enter('soon', { priority: 10, patienceMs: 2000 });
  assert.equal(fail('soon')[0], undefined);
});

test('a place that is granted to one who has left is there for the next', async () => {
  const { queue, authority } = makeQueue();
  const order = { priority: 50, tenant: 't', weight: 1, cost: 1, patienceMs: 1000, waitedMs: 0, movable: false };
  queue.enter(order, () => assert.fail('it has left')).cancel();
  await turn();
  await turn();
  assert.equal(authority.standings()[0]?.endpoints[0]?.granted, 1);
  assert.equal(queue.seats('e').room, true);
});

test('when nobody says where it stood, the refusal tells the longest wait', async () => {
  const { clock, enter, fail, called, silence } = makeQueue({ wait: '2s' });
  await enter('first');
  await enter('second');
  silence();
  clock.advance(2100);
  await turn();
  assert.deepEqual(fail('second'), [undefined, undefined, undefined]);
  clock.advance(1100);
  await turn();
  assert.deepEqual(fail('second'), ['queue_timeout', undefined, '2']);
  assert.deepEqual(called, ['first']);
});

test('its own deadline, the longest wait, and the state for operators', async () => {
  const { clock, enter, fail, left, authority } = makeQueue({ wait: '2s' });
  await enter('first');
  await enter('due', { patienceMs: 500 });
  await enter('patient');
  await enter('low', { priority: 10 });
  const [standing] = authority.standings();
  assert.deepEqual(
    standing?.classes.map(({ priority, waiting }) => [priority, waiting]),
    [
      [50, 2],
      [10, 1],
    ],
  );
  clock.advance(600);
  await turn();
  assert.deepEqual(fail('due')[0], 'total_timeout');
  clock.advance(1500);
  await turn();
  assert.deepEqual(fail('patient').slice(0, 2), ['queue_timeout', '1']);
  assert.deepEqual(fail('low').slice(0, 2), ['queue_timeout', '1']);
  assert.match(fail('low')[2] ?? '', /^[1-9]\d*$/);
  assert.deepEqual(left.slice(-3), ['deadline', 'timeout', 'timeout']);
  assert.equal(authority.standings()[0]?.waiting, 0);
});

test('a full queue: what is less important goes for what is more, and is told so', async () => {
  const { enter, serve, called, fail, left } = makeQueue({ length: 2 });
  await enter('first');
  await enter('t1', { priority: 10 });
  await enter('t2', { priority: 10 });
  await enter('b1');
  assert.deepEqual(fail('t2').slice(0, 2), ['queue_full', '3']);
  await enter('b2');
  assert.equal(fail('t1')[0], 'queue_full');
  await enter('t3', { priority: 10 });
  assert.equal(fail('t3')[0], 'queue_full');
  assert.deepEqual(left.slice(-3), ['evicted', 'evicted', 'full']);
  await serve(10);
  await serve(10);
  assert.deepEqual(called, ['first', 'b1', 'b2']);
});

test('who has waited long enough is called before those who are more important', async () => {
  const { enter, serve, called } = makeQueue({ wait: '1h', agedAfter: '1s', agedShare: '25%' });
  await enter('first');
  await enter('test', { priority: 10 });
  for (let i = 0; i < 20; i++) {
    await enter(`live${i}`, { priority: 90 });
    await serve(200);
  }
  const at = called.indexOf('test');
  assert.ok(at > 4 && at < 12, `${called}`);
});

test('without servers only those wait on who have nowhere else to go', async () => {
  const { enter, called, fail, left, takeAway, queue } = makeQueue({ wait: '1h' });
  await enter('first');
  await enter('stays');
  await enter('moves', { movable: true });
  takeAway();
  await turn();
  assert.equal(fail('moves')[0], 'no_endpoint');
  assert.equal(left.at(-1), 'stranded');
  assert.equal(fail('stays')[0], undefined);
  assert.equal(queue.waiting, 1);
  assert.deepEqual(called, ['first']);
});
