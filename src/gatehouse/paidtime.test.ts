/** Time that costs money: what streams cost while they run is never more than the limit, and who can get more goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import { limitConfig } from '../policy/quota/config.ts';
import { type Admission, allRules, type Demand, LocalAuthority, Quota } from '../policy/quota/quota.ts';
import { type PaidTime, PaidTimes } from './paidtime.ts';

/** A thousandth of a second costs so much: 1 for a second. */
const MS = 1_000_000;
const PRICE = { input: 0, cachedInput: 0, output: 0, reasoning: 0, perRequest: 0, perSecond: 1_000_000 };
const demand = (ms: number): Demand => ({ tokens: 0, inputTokens: 0, outputTokens: 0, bytes: 0, credits: ms * MS });
const settled = async () => {
  for (let i = 0; i < 8; i++) await null;
};

/** A house with one limit of so many seconds in a time that does not pass. */
function house(seconds: number, reserveMs: number, workers = 1) {
  const clock = new ManualClock();
  clock.advance(1);
  const events = new Events();
  const places = {
    limits: [limitConfig.parse({ key: 'resource', credits: `${seconds}/7d` })],
    routes: [],
    plans: {},
    tenants: {},
  };
  const authority = new LocalAuthority(clock);
  authority.configure(allRules(places));
  const quotas = Array.from({ length: workers }, (_, holder) => {
    const quota = new Quota({ clock, events, ask: async (asks) => authority.exchange(holder, asks) });
    const route = { ...places, routes: [{ name: 'r', limits: [] }] };
    return { quota, compiled: quota.compile(route), times: new PaidTimes(clock) };
  });
  let told = 0;
  events.on('requestForwarded', () => told++);

  class Stream {
    state: 'waiting' | 'running' | 'cut' | 'refused' | 'ended' = 'waiting';
    /** It can be ended. */
    begun = true;
    spentMs = 0;
    time: PaidTime | undefined;
    readonly admission: Admission;
    readonly exchange = { outcome: 'open', forwardedAt: 0 };
    readonly #times: PaidTimes;

    constructor(worker = 0) {
      const { quota, compiled, times } = quotas[worker] as (typeof quotas)[number];
      this.#times = times;
      const exchange = this.exchange as Exchange;
      const enter = (refused: unknown) => {
        this.state = refused === undefined ? 'running' : 'refused';
        if (refused !== undefined) return;
        exchange.forwardedAt = clock.now();
        const request = {
          exchange,
          price: PRICE,
          otherPrice: undefined,
          snapshot: { prices: { reserveMs } },
          time: undefined,
          worker: { clock, events },
          reserved: () => ({ cost: 0, charges: undefined, inputTokens: 0, outputTokens: 0 }),
          stop: () => this.begun && this.end('cut'),
        };
        this.time = times.follow(request, this.admission);
      };
      this.admission = quota.admission(quota.limitsFor(compiled, 0, exchange), exchange, demand(reserveMs), enter);
      const verdict = this.admission.begin();
      if (verdict !== 'wait') enter(verdict);
    }

    /** What it has cost so far. */
    get ms(): number {
      return this.state === 'running' ? clock.now() - this.exchange.forwardedAt : this.spentMs;
    }

    end(state: 'cut' | 'ended'): boolean {
      if (this.state !== 'running') return false;
      this.spentMs = this.ms;
      this.state = state;
      this.exchange.outcome = 'completed';
      this.#times.remove(this.time as PaidTime);
      this.admission.end(demand(this.spentMs));
      return true;
    }
  }
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settled();
  };
  const used = () => {
    const one = authority.standings()[0];
    return one === undefined ? 0 : Math.round((one.limit - one.free) / MS);
  };
  return { clock, Stream, pass, used, told: () => told };
}

test('a stream takes piece after piece, in time, and ends with the limit', async () => {
  const { Stream, pass, used, told } = house(7, 1000);
  const stream = new Stream();
  await settled();
  assert.equal(used(), 1000);
  await pass(700);
  assert.equal(used(), 2000);
  for (let i = 0; i < 70 && stream.state === 'running'; i++) await pass(100);
  assert.equal(stream.state, 'cut');
  assert.ok(stream.spentMs <= 7000 && stream.spentMs >= 6700, String(stream.spentMs));
  assert.ok(told() >= 6, 'the ledger knows what is reserved');
});

test('what cannot be ended goes on, and ends as soon as it can be', async () => {
  const { Stream, pass } = house(3, 1000);
  const stream = new Stream();
  await settled();
  stream.begun = false;
  for (let i = 0; i < 50; i++) await pass(100);
  assert.equal(stream.state, 'running');
  assert.equal(stream.time?.allows(), false);
  stream.begun = true;
  await pass(100);
  assert.equal(stream.state, 'cut');
});

test('what others give back is taken up', async () => {
  const { Stream, pass } = house(4, 2000);
  const [one, other] = [new Stream(), new Stream()];
  await settled();
  await pass(500);
  assert.ok(other.end('ended'));
  for (let i = 0; i < 27; i++) await pass(100);
  assert.equal(one.state, 'running');
  for (let i = 0; i < 10; i++) await pass(100);
  assert.equal(one.state, 'cut');
});

test('nothing need be reserved at first', async () => {
  const { Stream, pass } = house(2, 0);
  const stream = new Stream();
  await settled();
  for (let i = 0; i < 15; i++) await pass(100);
  assert.equal(stream.state, 'running');
  for (let i = 0; i < 10; i++) await pass(100);
  assert.equal(stream.state, 'cut');
  assert.ok(stream.spentMs <= 2000, String(stream.spentMs));
});

test('streams of several workers together never cost more than the limit, whatever the schedule', async () => {
  const job = fc.record({ worker: fc.nat(2), at: fc.nat(100), forTicks: fc.integer({ min: 1, max: 200 }) });
  const jobs = fc.array(job, { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(jobs, fc.constantFrom(300, 1000, 5000), async (all, reserveMs) => {
      const { Stream, pass } = house(20, reserveMs, 3);
      const streams: { stream: InstanceType<typeof Stream>; end: number }[] = [];
      for (let tick = 0; tick < 300; tick++) {
        for (const { worker, at, forTicks } of all)
          if (at === tick) streams.push({ stream: new Stream(worker), end: tick + forTicks });
        for (const { stream, end } of streams) if (end === tick) stream.end('ended');
        await pass(50);
        const cost = streams.reduce((sum, { stream }) => sum + stream.ms, 0);
        assert.ok(cost <= 20_000, `${cost} at ${tick}`);
      }
      // Where there is enough for all, each runs as long as it likes.
      const most = all.reduce((sum, { forTicks }) => sum + forTicks * 50 + 2 * Math.max(reserveMs, 1000), 0);
      if (most <= 20_000) assert.ok(streams.every(({ stream }) => stream.state === 'ended'));
    }),
    { numRuns: 80 },
  );
});
