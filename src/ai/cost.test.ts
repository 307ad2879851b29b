/** Arithmetic of money: whole numbers, rounded once, and never more than was reserved. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { COST_UNIT, costOf, formatCost, type Price, parsePrice, worstCost, worstOutput } from './cost.ts';

const amount = fc.integer({ min: 0, max: 1_000_000_000 });
const tokens = fc.integer({ min: 0, max: 200_000 });
const prices: fc.Arbitrary<Price> = fc.record({
  input: amount,
  cachedInput: amount,
  output: amount,
  reasoning: amount,
  perRequest: fc.integer({ min: 0, max: 1_000_000 }),
  perSecond: fc.integer({ min: 0, max: 1_000_000 }),
});

test('amounts are read and shown without a loss', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999 }), fc.integer({ min: 0, max: 999_999 }), (units, rest) => {
      const text = `${units}.${String(rest).padStart(6, '0')}`;
      const millionths = parsePrice(text) as number;
      assert.equal(millionths, units * 1_000_000 + rest);
      const shown = formatCost(Math.min(millionths, 9_000_000_000_000) * (COST_UNIT / 1_000_000));
      if (millionths < 9_000_000_000_000) assert.equal(Number(shown), Number(text));
    }),
  );
  for (const text of ['-1', '1,5', '1.2345678', '1e3', '', '.5', ' 1', '1.', '=1'])
    assert.equal(parsePrice(text), undefined);
});

test('a cost is the exact sum of its parts, rounded once, half a thousand-millionth at most', () => {
  fc.assert(
    fc.property(
      prices,
      tokens,
      tokens,
      tokens,
      tokens,
      fc.integer({ min: 0, max: 600_000 }),
      (price, input, cached, output, thought, ms) => {
        const cachedInputTokens = Math.min(cached, input);
        const reasoningTokens = Math.min(thought, output);
        const usage = { inputTokens: input, outputTokens: output, cachedInputTokens, reasoningTokens };
        const cost = costOf(price, usage, ms);
        const big = (one: number) => BigInt(one);
        // In trillionths, by numbers that never round.
        const exact =
          big(input - cachedInputTokens) * big(price.input) +
          big(cachedInputTokens) * big(price.cachedInput) +
          big(output - reasoningTokens) * big(price.output) +
          big(reasoningTokens) * big(price.reasoning) +
          big(price.perRequest) * 1_000_000n +
          big(price.perSecond) * big(ms) * 1000n;
        assert.ok(Number.isSafeInteger(cost));
        if (exact <= BigInt(Number.MAX_SAFE_INTEGER)) {
          const off = big(cost) * 1000n - exact;
          assert.ok(off >= -500n && off <= 500n, `${cost} for ${exact}`);
        }
        assert.ok(cost <= worstCost(price, input, output, ms), 'what was reserved is enough');
      },
    ),
  );
});

test('reserved in parts is never less than at once', () => {
  fc.assert(
    fc.property(prices, tokens, fc.array(tokens, { maxLength: 20 }), (price, first, steps) => {
      const all = steps.reduce((sum, step) => sum + step, first);
      const parts = steps.reduce((sum, step) => sum + worstOutput(price, step), worstCost(price, 10, first, 0));
      const once = worstCost(price, 10, all, 0);
      assert.ok(parts >= once && parts <= once + steps.length);
    }),
  );
});
