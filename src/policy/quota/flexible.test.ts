/** Requests that make do with what is left of budgets: each is decided, and all together spend no more than there is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { Events } from '../../kernel/event.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import { LocalAuthority } from './authority.ts';
import { allRules, budgetLimits } from './compile.ts';
import { budgetsConfig } from './config.ts';
import type { Demand, Flexible } from './demand.ts';
import { PooledAuthority } from './pool.ts';
import { Quota } from './quota.ts';

const LEAST = 64;
const WANTED = 4096;

const demandOf = (output: number): Demand => ({
  credits: 1000 + output * 7,
  tokens: output,
  inputTokens: 0,
  outputTokens: output,
  bytes: 0,
});

/** A request that wants 4,096 tokens and takes 64. */
class Wish implements Flexible {
  readonly least = demandOf(LEAST);
  output = WANTED;

  shrink(share: number): Demand {
    this.output = Math.floor(LEAST + (this.output - LEAST) * share);
    return demandOf(this.output);
  }
}

test('of several budgets the tightest says how much a request gets, whoever holds the money', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 12 }),
      fc.boolean(),
      fc.boolean(),
      async (seed, amounts, count, pooled, parallel) => {
        const clock = new ManualClock(undefined, seed);
        // Thousand-millionths.
        const budgets = budgetsConfig.parse(
          amounts.map((units, i) => ({ name: `b${i}`, key: 'resource', credits: `${(units / 1e6).toFixed(6)}/day` })),
        );
        const limits = { limits: budgetLimits(budgets), routes: [{ name: 'r', limits: [] }], plans: {}, tenants: {} };
        const own = new LocalAuthority(clock);
        own.configure(allRules(limits));
        const pool = new PooledAuthority(clock, async (asks) => own.exchange(9, asks));
        pool.configure(allRules(limits));
        const authority = pooled ? pool : own;
        const workers = [1, 2].map((holder) => {
          const quota = new Quota({
            clock,
            events: new Events(),
            ask: async (asks) => authority.exchange(holder, asks),
          });
          return { quota, active: quota.limitsFor(quota.compile(limits), 0, {} as Exchange) };
        });
        const least = Math.min(...amounts.map((units) => units * 1000));
        let spent = 0;
        let decided = 0;
        let most = 0;
        const settle = async () => {
          for (let i = 0; i < 40; i++) await null;
        };
        for (let i = 0; i < count; i++) {
          const { quota, active } = workers[clock.random() < 0.5 ? 0 : 1] as (typeof workers)[0];
          const wish = new Wish();
          const done = (refused: boolean) => {
            decided++;
            if (refused) return;
            most = Math.max(most, wish.output);
            const { credits } = demandOf(wish.output);
            const used = Math.floor(clock.random() * (credits + 1));
            spent += used;
            const end = () => admission.end({ ...demandOf(wish.output), credits: used });
            if (parallel) clock.after(clock.random() * 100, end);
            else end();
          };
          const admission = quota.admission(
            active,
            {} as Exchange,
            demandOf(WANTED),
            (exhausted) => done(exhausted !== undefined),
            wish,
          );
          const verdict = admission.begin();
          if (verdict !== 'wait') done(verdict !== undefined);
          if (!parallel) await settle();
          clock.advance(10);
        }
        for (let i = 0; i < 50; i++) {
          clock.advance(100);
          await settle();
        }
        assert.equal(decided, count, 'each is decided');
        assert.ok(spent <= least, `${spent} of ${least}`);
        // The first one gets all that there is, and no less.
        const fits = Math.min(WANTED, Math.floor((least - 1000) / 7));
        if (fits >= LEAST) assert.ok(most >= fits - 2 && most <= fits, `${most} of ${fits}`);
        else assert.equal(most, 0);
      },
    ),
    { numRuns: 200 },
  );
});
