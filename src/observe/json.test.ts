import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countText, millisText, quote, quoteName, timestamp } from './json.ts';

test('quoted text is JSON of the same text', () => {
  const any = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.nat(0xffff)).map((u) => String.fromCharCode(...u)),
  );
  fc.assert(
    fc.property(any, (text) => {
      assert.equal(JSON.parse(quote(text)), text);
      assert.equal(JSON.parse(quoteName(text)), text);
      assert.equal(quoteName(text), quoteName(text));
    }),
  );
});

test('more names than the memory holds', () => {
  for (let i = 0; i < 5000; i++) assert.equal(quoteName(`n${i}`), `"n${i}"`);
});

test('milliseconds', () => {
  const cases: [number, string][] = [
    [0, '0'],
    [12, '12'],
    [12.5, '12.5'],
    [0.001, '0.001'],
    [0.0004, '0'],
    [1.9999, '2'],
    [600_000.25, '600000.25'],
    [-5, '0'],
    [Number.NaN, '0'],
    [Number.POSITIVE_INFINITY, '0'],
  ];
  for (const [ms, text] of cases) assert.equal(millisText(ms), text, `${ms}`);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (ms) => {
      assert.ok(Math.abs(Number(millisText(ms)) - ms) <= 0.000501);
      assert.match(millisText(ms), /^\d+(\.\d{0,2}[1-9])?$/);
    }),
  );
});

test('counts', () => {
  for (const [n, text] of [
    [3, '3'],
    [0, '0'],
    [-1, '0'],
    [Number.NaN, '0'],
    [Number.POSITIVE_INFINITY, '0'],
  ] as const) {
    assert.equal(countText(n), text);
  }
});

test('timestamps are those of Date, also when the clock jumps back', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4_102_444_800_000 })), (walls) => {
      for (const wall of walls) {
        assert.equal(timestamp(wall), new Date(wall).toISOString());
        assert.equal(timestamp(wall + 0.75), new Date(wall).toISOString());
      }
    }),
  );
});
