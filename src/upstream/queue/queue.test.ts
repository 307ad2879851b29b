/**
 * Workers and the authority under simulated time, with messages that take their time: thousands of random schedules, in none of
 * which a server sees more than its limit, or a request is lost or answered twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { Events } from '../../kernel/event.ts';
import { Deadlines } from '../../socket/deadlines.ts';
import { upstreamConfig } from '../config.ts';
import { QueueAuthority } from './authority.ts';
import type { QueueAnswer, QueueAsk } from './message.ts';
import { Queues } from './queue.ts';
import type { Seats } from './seats.ts';
import type { Ticket } from './ticket.ts';
import type { UpstreamQueue } from './upstreamqueue.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Play {
  seed: number;
  workers: number;
  limits: number[];
  requests: number;
  settings?: object;
  /** A worker dies in the middle. */
  death?: boolean;
  priority?: (random: () => number) => number;
  patience?: number;
  /** Workers are told who is next, and hand over what becomes free. */
  ahead?: boolean;
}

/** One schedule; returns what became of each request. */
async function play({
  seed,
  workers,
  limits,
  requests,
  settings = {},
  death = false,
  priority,
  patience = 1e6,
  ahead = false,
}: Play) {
  const clock = new ManualClock(0, seed);
  const random = () => clock.random();
  const config = upstreamConfig.parse({
    endpoints: limits.map((maxConcurrency, i) => ({ url: `http://10.0.0.${i + 1}`, name: `e${i}`, maxConcurrency })),
    queue: { wait: '1h', length: 100_000, ...settings },
  });
  const usable = config.endpoints.map(({ name }) => name as string);
  const sides: { queue: UpstreamQueue; queues: Queues; dead: boolean }[] = [];
  /** In the order in which they were sent, one way at a time. */
  const later = (side: { dead: boolean } | undefined, lane: { at: number }, fn: () => void) => {
    lane.at = Math.max(lane.at, clock.now() + random() * 3);
    clock.after(lane.at - clock.now(), () => {
      if (!side?.dead) fn();
    });
  };
  const down = Array.from({ length: workers }, () => ({ at: 0 }));
  const authority = new QueueAuthority(clock, (note) => {
    for (const [i, side] of sides.entries()) later(side, down[i] as { at: number }, () => side.queues.told(note));
  });
  authority.configure({ up: config }, workers);
  for (let i = 0; i < workers; i++) {
    const up = { at: 0 };
    const side = { dead: false } as (typeof sides)[number];
    const ask = (said: QueueAsk) =>
      new Promise<QueueAnswer | undefined>((resolve) => {
        later(side, up, () => {
          void Promise.resolve(authority.serve(i, structuredClone(said))).then((answer) =>
            later(side, down[i] as { at: number }, () => resolve(answer)),
          );
          if (!ahead) return;
          authority.settle(i, 'up', (whom, note) => {
            const other = sides[whom] as (typeof sides)[number];
            later(other, down[whom] as { at: number }, () => other.queues.called(note));
          });
        });
      });
    side.queues = new Queues({ clock, events: new Events(), deadlines: new Deadlines(clock), ask });
    side.queue = side.queues.of('up', config) as UpstreamQueue;
    side.queue.adopt(
      config,
      () => usable,
      () => false,
    );
    sides.push(side);
  }
  const busy = new Map(usable.map((name) => [name, 0]));
  const counts = { served: 0, refused: 0, left: 0, lost: 0 };
  const waits: number[] = [];
  let most = 0;
  const serve = (side: (typeof sides)[number]) => {
    const seats = usable.map((name) => side.queue.seats(name)).find(({ room }) => room) as Seats;
    seats.take();
    const now = (busy.get(seats.endpoint) as number) + 1;
    busy.set(seats.endpoint, now);
    most = Math.max(most, ...busy.values());
    assert.ok(now <= (limits[usable.indexOf(seats.endpoint)] as number), `seed ${seed}: ${seats.endpoint} sees ${now}`);
    counts.served++;
    clock.after(1 + random() * 20, () => {
      if (side.dead) return;
      busy.set(seats.endpoint, (busy.get(seats.endpoint) as number) - 1);
      seats.free();
    });
  };
  for (let i = 0; i < requests; i++) {
    clock.after(random() * requests * 2, () => {
      const side = sides[Math.floor(random() * workers)] as (typeof sides)[number];
      if (side.dead) {
        counts.lost++;
        return;
      }
      if (usable.some((name) => side.queue.seats(name).room)) {
        serve(side);
        return;
      }
      let over = false;
      const since = clock.now();
      const order = {
        priority: priority?.(random) ?? 50,
        tenant: `t${Math.floor(random() * 3)}`,
        weight: 1,
        cost: 1 + Math.floor(random() * 100),
        patienceMs: patience,
        waitedMs: 0,
        movable: false,
      };
      const ticket: Ticket = side.queue.enter(order, (error) => {
        assert.equal(over, false, `seed ${seed}: answered twice`);
        over = true;
        if (side.dead) return;
        waits.push(clock.now() - since);
        if (error === undefined) serve(side);
        else counts.refused++;
      });
      if (random() < 0.2)
        clock.after(random() * 50, () => {
          if (over || side.dead) return;
          over = true;
          counts.left++;
          ticket.cancel();
        });
    });
  }
  const dying = death ? requests : Number.POSITIVE_INFINITY;
  let waiting = 0;
  for (let passed = 0; passed < requests * 60 + 2000; passed += 1) {
    if (passed === dying) {
      const dead = sides[0] as (typeof sides)[number];
      dead.dead = true;
      waiting += dead.queue.waiting;
      for (const name of usable) busy.set(name, (busy.get(name) as number) - dead.queue.seats(name).used);
      authority.gone(0);
    }
    clock.advance(1);
    if (passed % 4 === 0) await turn();
    const done = counts.served + counts.refused + counts.left + counts.lost + waiting;
    if (done >= requests && passed > requests * 2 + 500) break;
  }
  counts.lost += waiting;
  // What is still being said arrives.
  for (let i = 0; ahead && i < 20; i++) {
    clock.advance(5);
    await turn();
  }
  return { counts, waits, most, authority, sides };
}

const SEED = Number(process.env.QUEUE_SEED ?? Math.floor(Math.random() * 2 ** 31));

test(`random schedules (QUEUE_SEED=${SEED})`, async (t) => {
  for (let i = 0; i < 500; i++) {
    const seed = SEED + i;
    const workers = 1 + (seed % 3);
    const limits = Array.from({ length: 1 + (seed % 2) }, (_, at) => 1 + ((seed >> at) % 5));
    const requests = 40 + (seed % 60);
    const { counts } = await play({ seed, workers, limits, requests, settings: i % 3 === 0 ? { length: 5 } : {} });
    const { served, refused, left } = counts;
    assert.equal(served + refused + left, requests, `seed ${seed}: ${JSON.stringify(counts)}`);
    if (i % 3 !== 0) assert.equal(refused, 0, `seed ${seed}`);
  }
  t.diagnostic(`seed ${SEED}`);
});

test('the same where workers hand over what becomes free, also when one of them dies', async () => {
  for (let i = 0; i < 500; i++) {
    const seed = SEED + i;
    const workers = 1 + (seed % 3);
    const limits = Array.from({ length: 1 + (seed % 2) }, (_, at) => 1 + ((seed >> at) % 5));
    const requests = 40 + (seed % 60);
    const death = i % 5 === 0 && workers > 1;
    const settings = i % 3 === 0 ? { length: 5 } : {};
    const priority = (random: () => number) => 10 * Math.floor(random() * 4);
    const { counts, authority } = await play({
      seed,
      workers,
      limits,
      requests,
      settings,
      death,
      priority,
      ahead: true,
    });
    const { served, refused, left, lost } = counts;
    assert.equal(served + refused + left + lost, requests, `seed ${seed}: ${JSON.stringify(counts)}`);
    if (i % 3 !== 0) assert.equal(refused, 0, `seed ${seed}`);
    if (!death) assert.equal(lost, 0, `seed ${seed}`);
    assert.equal(authority.standings()[0]?.waiting, 0, `seed ${seed}`);
  }
});

test('a worker that dies leaves its places to the others', async () => {
  for (let i = 0; i < 40; i++) {
    const seed = SEED + i;
    const { counts, authority } = await play({ seed, workers: 3, limits: [2, 3], requests: 60, death: true });
    assert.equal(counts.served + counts.refused + counts.left + counts.lost, 60, `seed ${seed}`);
    for (const { used, limit, granted } of authority.standings()[0]?.endpoints ?? [])
      assert.ok(used <= limit && granted <= limit, `seed ${seed}`);
  }
});

test('nodes that share places each have a part, and at least one place', () => {
  const parse = (scope: string) =>
    upstreamConfig.parse({
      endpoints: [8, 2].map((maxConcurrency, i) => ({ url: `http://10.0.0.${i + 1}`, name: `e${i}`, maxConcurrency })),
      queue: { scope },
    });
  const authority = new QueueAuthority(new ManualClock(), () => {});
  authority.configure({ ours: parse('shared'), own: parse('node') }, 1);
  const limits = () => authority.standings().map(({ endpoints }) => endpoints.map(({ limit }) => limit));
  assert.deepEqual(limits(), [
    [8, 2],
    [8, 2],
  ]);
  authority.divide(3);
  assert.deepEqual(limits(), [
    [2, 1],
    [8, 2],
  ]);
  authority.divide(1);
  assert.deepEqual(limits()[0], [8, 2]);
});
