import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, formatSize, parseDuration, parsePercent, parseSize } from './limit.ts';

type Table = readonly (readonly [string, number | undefined])[];

const durations: Table = [
  ['0', 0],
  ['500ms', 500],
  ['1.5s', 1500],
  ['1.1s', 1100],
  ['2m', 120_000],
  ['2min', 120_000],
  ['1h30m', 5_400_000],
  ['1d', 86_400_000],
  ['', undefined],
  ['5', undefined],
  ['-1s', undefined],
  ['1 s', undefined],
  ['s', undefined],
  ['1.s', undefined],
  ['1S', undefined],
  ['1s ', undefined],
  ['9999999999999d', undefined],
];
const sizes: Table = [
  ['0', 0],
  ['4096', 4096],
  ['1B', 1],
  ['1kB', 1000],
  ['1.1MB', 1_100_000],
  ['1KB', 1000],
  ['16KiB', 16_384],
  ['1.5MiB', 1_572_864],
  ['2 GiB', 2_147_483_648],
  ['', undefined],
  ['KiB', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['0.1KiB', undefined],
  ['1kib', undefined],
  ['1TiB', undefined],
  ['99999999999GiB', undefined],
];
const percents: Table = [
  ['0%', 0],
  ['20%', 0.2],
  ['0.5%', 0.005],
  ['100%', 1],
  ['101%', undefined],
  ['20', undefined],
  ['-1%', undefined],
  ['%', undefined],
  ['1 %', undefined],
];

for (const [what, parse, table] of [
  ['duration', parseDuration, durations],
  ['size', parseSize, sizes],
  ['percentage', parsePercent, percents],
] as const) {
  test(`reads a ${what}, or says that it is none`, () => {
    for (const [text, expected] of table) assert.equal(parse(text), expected, JSON.stringify(text));
  });
}

test('what is written reads back the same (property)', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), (value) => {
      assert.equal(parseDuration(formatDuration(value)), value);
      assert.equal(parseSize(formatSize(value)), value);
    }),
  );
});

test('writes the largest unit that is whole', () => {
  assert.deepEqual(
    [formatDuration(7_200_000), formatDuration(90_000), formatDuration(1500), formatDuration(0)],
    ['2h', '90s', '1.5s', '0ms'],
  );
  assert.deepEqual([formatSize(65_536), formatSize(1 << 20), formatSize(1000)], ['64KiB', '1MiB', '1000']);
});
