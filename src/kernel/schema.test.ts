import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { address, count, duration, name, percent, size, sizeOnly } from './schema.ts';

const schema = z.strictObject({
  wait: duration('30s', '1ms'),
  room: size('64KiB', '1KiB'),
  share: percent('20%'),
  many: count(5, 1, 10),
  little: sizeOnly('1KiB').optional(),
});

/** The messages that a value gives rise to. */
const complaints = (value: unknown) =>
  schema.safeParse(value).error?.issues.map((issue) => `${issue.path}: ${issue.message}`) ?? [];

test('what is left out has the default, in the held form', () => {
  assert.deepEqual(schema.parse({}), { wait: 30_000, room: 65_536, share: 0.2, many: 5 });
  assert.deepEqual(schema.parse({ wait: '1m', room: 2048, many: 10, little: '2KiB' }), {
    wait: 60_000,
    room: 2048,
    share: 0.2,
    many: 10,
    little: 2048,
  });
});

test('what is wrong is told with what to write instead', () => {
  assert.deepEqual(complaints({ wait: 'soon' }), ['wait: expected a duration, such as 30s']);
  assert.deepEqual(complaints({ wait: 30 }), ['wait: expected a duration, such as 30s']);
  assert.deepEqual(complaints({ wait: '0' }), ['wait: expected at least 1ms']);
  assert.deepEqual(complaints({ wait: '30d' }), ['wait: expected at most 24d']);
  assert.deepEqual(complaints({ room: '1B' }), ['room: expected at least 1KiB']);
  assert.deepEqual(complaints({ share: '120%' }), ['share: expected a percentage, such as 20%']);
  assert.deepEqual(complaints({ wait: true }), ['wait: expected a duration, such as 30s']);
  assert.equal(complaints({ many: 0, wait: 'x', room: 'y' }).length, 3);
});

const texts: [string, z.ZodType, string[], string[]][] = [
  ['names', name, ['a', 'A-1', 'a.b_c:d/e', 'x'.repeat(128)], ['', '-a', 'a b', 'ä', 'x'.repeat(129), 'a\n']],
  [
    'addresses',
    address,
    [':8080', '127.0.0.1:0', '[::1]:443', 'localhost:65535', '*:80', 'unix:/run/s'],
    ['8080', 'a:', 'a:65536', '::1:80', 'unix:s', 'http://a:1', 'a:80 ', 'a b:80'],
  ],
];

for (const [what, type, good, bad] of texts) {
  test(`${what} are taken and refused`, () => {
    for (const text of good) assert.ok(type.safeParse(text).success, text);
    for (const text of bad) assert.ok(!type.safeParse(text).success, text);
  });
}
