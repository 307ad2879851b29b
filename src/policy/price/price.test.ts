/** Prices: decimals without floats, exceptions by place and time, sums that are exact. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { COST_UNIT, costOf, formatCost, type Price, parsePrice, worstCost } from '../../ai/cost.ts';
import { pricesConfig } from './config.ts';
import { PriceTable } from './price.ts';

for (const [text, expected] of [
  ['2.50', 2_500_000],
  ['0.000001', 1],
  ['0', 0],
  ['15', 15_000_000],
  ['0.0000001', undefined],
  ['-1', undefined],
  ['1e3', undefined],
  ['', undefined],
] as const) {
  test(`a price of "${text}"`, () => assert.equal(parsePrice(text), expected));
}

const usage = { inputTokens: 1000, cachedInputTokens: 400, outputTokens: 100, reasoningTokens: 30 };
const price: Price = {
  input: 3_000_000,
  cachedInput: 300_000,
  output: 15_000_000,
  reasoning: 60_000_000,
  perRequest: 10,
  perSecond: 2_000_000,
};

test('cached input and reasoning have their own price, and so have requests and seconds', () => {
  const expected = 600 * 3000 + 400 * 300 + 70 * 15_000 + 30 * 60_000 + 10_000 + 1.5 * 2_000_000_000;
  assert.equal(costOf(price, usage, 1500), expected);
  assert.equal(formatCost(3_004_770_000), '3.00477');
  assert.equal(formatCost(COST_UNIT), '1');
});

test('no use costs more than what was reserved for it', () => {
  const amount = fc.nat(100_000_000);
  const prices = fc.record({
    input: amount,
    cachedInput: amount,
    output: amount,
    reasoning: amount,
    perRequest: amount,
    perSecond: amount,
  });
  fc.assert(
    fc.property(
      prices,
      fc.nat(100_000),
      fc.nat(100_000),
      fc.nat(1),
      fc.nat(1),
      fc.nat(60_000),
      (one, input, output, a, b, ms) => {
        const used = {
          inputTokens: input,
          cachedInputTokens: input * a,
          outputTokens: output,
          reasoningTokens: output * b,
        };
        const cost = costOf(one, used, ms);
        assert.ok(Number.isSafeInteger(cost));
        assert.ok(cost <= worstCost(one, input, output, ms));
      },
    ),
  );
});

const table = new PriceTable(
  pricesConfig.parse({
    timeZone: 'Europe/Berlin',
    default: { input: 1 },
    models: {
      m: {
        input: '10',
        output: '20',
        when: [
          { upstream: 'spot', input: '4' },
          { from: '22:00', to: '06:00', days: ['fri', 'sun'], output: '5' },
          { version: 'next', output: '0' },
        ],
      },
      z: {
        input: '10',
        output: '20',
        when: [
          { upstream: 'spot', from: '22:00', to: '06:00', input: '1', output: '2' },
          { upstream: 'spot', input: '4' },
          { from: '22:00', to: '06:00', output: '5' },
        ],
      },
      w: { input: '6', when: [{ days: ['sat', 'sun'], input: '3' }] },
    },
  }),
);

for (const [what, model, version, upstream, at, input, output] of [
  ['the usual one', 'm', 'v', 'gpu', '2026-11-18T12:00:00Z', 10, 20],
  ['a model of its own', 'other', 'v', 'gpu', '2026-11-18T12:00:00Z', 1, 0],
  ['a pool of its own', 'm', 'v', 'spot', '2026-11-20T23:00:00Z', 4, 20],
  ['friday night', 'm', 'v', 'gpu', '2026-11-20T21:00:00Z', 10, 5],
  ['before friday night', 'm', 'v', 'gpu', '2026-11-20T20:59:00Z', 10, 20],
  ['saturday morning belongs to friday night', 'm', 'v', 'gpu', '2026-11-21T04:59:00Z', 10, 5],
  ['monday morning belongs to sunday night', 'm', 'v', 'gpu', '2026-11-23T04:59:00Z', 10, 5],
  ['and ends', 'm', 'v', 'gpu', '2026-11-23T05:00:00Z', 10, 20],
  // Summer time ends on 25 October at 03:00, which is 02:00 again: a night by the clock of the wall, one hour longer.
  ['sunday night in which summer time ends, before', 'z', 'v', 'gpu', '2026-10-24T19:59:00Z', 10, 20],
  ['its beginning, in summer time', 'z', 'v', 'gpu', '2026-10-24T20:00:00Z', 10, 5],
  ['the hour that comes twice, first', 'z', 'v', 'gpu', '2026-10-25T00:30:00Z', 10, 5],
  ['the hour that comes twice, again', 'z', 'v', 'gpu', '2026-10-25T01:30:00Z', 10, 5],
  ['its end, in winter time', 'z', 'v', 'gpu', '2026-10-25T04:59:00Z', 10, 5],
  ['and over', 'z', 'v', 'gpu', '2026-10-25T05:00:00Z', 10, 20],
  ['a pool at night: the first that fits, whole', 'z', 'v', 'spot', '2026-11-18T23:00:00Z', 1, 2],
  ['a pool by day: the next that fits', 'z', 'v', 'spot', '2026-11-18T12:00:00Z', 4, 20],
  ['days alone', 'w', 'v', 'gpu', '2026-11-21T12:00:00Z', 3, 0],
  ['days alone, and other days', 'w', 'v', 'gpu', '2026-11-20T12:00:00Z', 6, 0],
  ['a version', 'm', 'next', 'gpu', '2026-11-18T12:00:00Z', 10, 0],
] as const) {
  test(`price: ${what}`, () => {
    const found = table.of(model, version, upstream, Date.parse(at));
    assert.deepEqual([found?.input, found?.output], [input * 1_000_000, output * 1_000_000]);
  });
}
