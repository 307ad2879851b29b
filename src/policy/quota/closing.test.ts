/** What becomes of a budget when a worker dies, whatever it had said before, or was in the middle of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import type { Exhausted } from './claim.ts';
import { Leases } from './leases.ts';
import type { Rule } from './rule.ts';

const RULE: Rule = {
  name: 'budget:all',
  unit: 'credits',
  limit: 1_000_000,
  refill: { type: 'calendar', every: 'month', timeZone: 'UTC' },
  known: true,
  scope: 'node',
  onStoreLoss: 'localShare',
  budget: { key: ['resource'], alerts: [], only: {} },
};

/** One worker: `written` is what its journal says, which outlives it. */
class Worker {
  readonly leases: Leases;
  readonly lease;
  written = 0;
  under: number[] = [];
  dead = false;

  constructor(clock: ManualClock, authority: LocalAuthority, holder: number) {
    this.leases = new Leases(clock, async (asks) => {
      if (this.dead) throw new Error('dead');
      return authority.exchange(holder, asks);
    });
    this.lease = this.leases.lease(this.leases.rule(RULE), '*');
  }

  begin(units: number): void {
    const claims = [{ lease: this.lease, units, rule: RULE }];
    const waiter = {
      retry: () => {
        const verdict: Exhausted | 'wait' | undefined = this.leases.take(claims, waiter);
        if (verdict === undefined) this.under.push(units);
      },
    };
    waiter.retry();
  }

  end(share: number): void {
    const units = this.under.shift();
    if (units === undefined) return;
    const used = Math.floor(units * share);
    this.leases.settle(this.lease, units, used);
    this.written += used;
  }
}

test('after the death of workers a budget has used what was written down, no more and no less, and is never exceeded', async () => {
  const action = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('begin' as const), who: fc.nat(2), units: fc.nat(90_000) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        who: fc.nat(2),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 3000 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), who: fc.nat(2) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 80 }), async (actions) => {
      const clock = new ManualClock();
      const authority = new LocalAuthority(clock);
      authority.configure([RULE]);
      let holders = 0;
      const start = () => ({ holder: ++holders, worker: new Worker(clock, authority, holders) });
      const living = [start(), start(), start()];
      let total = 0;
      const settle = () => new Promise<void>((done) => setImmediate(done));
      for (const one of actions) {
        if (one.do === 'begin') living[one.who]?.worker.begin(one.units + 1);
        else if (one.do === 'end') living[one.who]?.worker.end(one.share);
        else if (one.do === 'pass') clock.advance(one.ms);
        else {
          const { holder, worker } = living[one.who] as (typeof living)[0];
          living[one.who] = start();
          worker.dead = true;
          await settle();
          authority.gone(holder);
          // What was under way is in doubt: charged with what was reserved.
          const written = worker.written + worker.under.reduce((sum, units) => sum + units, 0);
          total += written;
          worker.under = [];
          authority.closed(holder, () => written);
        }
        await settle();
        assert.ok(total + living.reduce((sum, { worker }) => sum + worker.written, 0) <= RULE.limit);
      }
      for (const { holder, worker } of living) {
        authority.gone(holder);
        const written = worker.written + worker.under.reduce((sum, units) => sum + units, 0);
        total += written;
        authority.closed(holder, () => written);
      }
      assert.equal(authority.usedOf(RULE.name, '*'), total);
      assert.equal(authority.counted(RULE.name, '*'), total, 'nothing is held any more');
    }),
    { numRuns: 100 },
  );
});
