/** Streams that ask for more while they run: what passes is never more than the limit, whatever the schedule. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import { type ActiveLimit, Admission } from './admission.ts';
import { LocalAuthority } from './authority.ts';
import type { Demand } from './demand.ts';
import { Leases } from './leases.ts';
import { mostOf, type Rule } from './rule.ts';

const demand = (tokens: number): Demand => ({ tokens, inputTokens: 0, outputTokens: tokens, bytes: 0, credits: 0 });
const RULE: Rule = {
  name: 'tokens',
  unit: 'tokens',
  limit: 500,
  refill: { type: 'sliding', windowMs: 1_000_000 },
  scope: 'node',
  onStoreLoss: 'localShare',
  known: true,
};

const settled = async () => {
  for (let i = 0; i < 6; i++) await null;
};

/** A stream that generates as long as it may. */
class Stream {
  reserved: number;
  used = 0;
  step: number;
  asking = false;
  state: 'waiting' | 'running' | 'over' = 'waiting';
  readonly admission: Admission;

  constructor(leases: Leases, limit: ActiveLimit, units: number, step: number) {
    this.reserved = units;
    this.step = step;
    const enter = (refused: unknown) => {
      this.state = refused === undefined ? 'running' : 'over';
    };
    this.admission = new Admission(leases, [limit], {} as Exchange, demand(units), () => {}, enter);
    const verdict = this.admission.begin();
    if (verdict !== 'wait') enter(verdict);
  }

  generate(): void {
    if (this.state !== 'running') return;
    if (this.used < this.reserved) this.used++;
    if (this.asking || this.reserved - this.used > this.step / 2) return;
    const verdict = this.admission.extend(demand(this.step), (granted) => {
      this.asking = false;
      if (granted) this.reserved += this.step;
    });
    if (verdict === 'wait') this.asking = true;
    else if (verdict) this.reserved += this.step;
  }

  end(): void {
    if (this.state === 'running' || this.state === 'waiting') this.admission.end(demand(this.used));
    this.state = 'over';
  }
}

test('streams of several workers together never have more than the limit', async () => {
  const job = fc.record({
    worker: fc.nat(2),
    units: fc.integer({ min: 1, max: 300 }),
    step: fc.integer({ min: 4, max: 200 }),
    at: fc.nat(60),
    forTicks: fc.integer({ min: 1, max: 150 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(job, { minLength: 1, maxLength: 20 }), async (jobs) => {
      const clock = new ManualClock();
      const authority = new LocalAuthority(clock);
      authority.configure([RULE]);
      const workers = [0, 1, 2].map((holder) => new Leases(clock, async (asks) => authority.exchange(holder, asks)));
      const streams: Stream[] = [];
      const ends: [number, Stream][] = [];
      for (let tick = 0; tick < 220; tick++) {
        for (const { worker, units, step, at, forTicks } of jobs) {
          if (at !== tick) continue;
          const leases = workers[worker] as Leases;
          const owner = leases.rule(RULE);
          const limit = {
            rule: RULE,
            owner,
            keyOf: () => '*',
            observe: false,
            needsBody: true,
            byVersion: false,
            output: 1,
            most: mostOf(RULE),
          };
          const stream = new Stream(leases, limit, units, step);
          streams.push(stream);
          ends.push([tick + forTicks, stream]);
        }
        for (const stream of streams) stream.generate();
        for (const [when, stream] of ends) if (when === tick) stream.end();
        clock.advance(10);
        await settled();
        const used = streams.reduce((sum, stream) => sum + stream.used, 0);
        assert.ok(used <= RULE.limit, `${used} at ${tick}`);
      }
      for (const stream of streams) stream.end();
      for (let i = 0; i < 10; i++) {
        clock.advance(5000);
        await settled();
      }
      // What was not used is free again.
      const used = streams.reduce((sum, stream) => sum + stream.used, 0);
      const last = await new Promise<boolean>((done) => {
        const leases = workers[0] as Leases;
        const limit = {
          rule: RULE,
          owner: leases.rule(RULE),
          keyOf: () => '*',
          observe: false,
          needsBody: true,
          byVersion: false,
          output: 1,
          most: mostOf(RULE),
        };
        if (used === RULE.limit) return done(true);
        const admission = new Admission(
          leases,
          [limit],
          {} as Exchange,
          demand(RULE.limit - used),
          () => {},
          (no) => done(no === undefined),
        );
        const verdict = admission.begin();
        if (verdict !== 'wait') done(verdict === undefined);
      });
      assert.ok(last);
    }),
    { numRuns: 60 },
  );
});
