import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignments, timeOf } from './documents.ts';

test('times: a duration from now, or a time that there is', () => {
  assert.equal(timeOf(undefined, '--expires'), undefined);
  for (const text of ['90d', '12h']) assert.ok(Date.parse(timeOf(text, '--expires') as string) > Date.now(), text);
  for (const [text, expected] of [
    ['2027-01-31T00:00:00Z', '2027-01-31T00:00:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    ['2027-01-31T23:30:00-01:00', '2027-02-01T00:30:00.000Z'],
  ] as const)
    assert.equal(timeOf(text, '--expires'), expected);
  for (const text of ['2027-02-30', '2027-02-29', '2027-04-31T00:00:00Z', '2027-06-31T12:00:00+02:00'])
    assert.throws(() => timeOf(text, '--expires'), /--expires \S+: there is no such day/, text);
  for (const text of ['', 'tomorrow', '30 Feb 2027', '2027-13-01', '2027-01-31x', '5'])
    assert.throws(() => timeOf(text, '--expires'), /expected 90d, or 2027/, text);
});

test('assignments: nothing is lost without a word', () => {
  assert.deepEqual(assignments(['a=1', 'b.c=2'], '--label', false), { a: '1', 'b.c': '2' });
  assert.deepEqual(assignments(['a=1', 'b.c=2'], '--set', true), { a: 1, b: { c: 2 } });
  assert.deepEqual(assignments(['constructor=x'], '--label', false), { constructor: 'x' });
  for (const typed of [false, true])
    assert.throws(() => assignments(['__proto__=x'], '--label', typed), /nothing can be called __proto__/);
  assert.throws(() => assignments(['a.__proto__.b=x'], '--set', true), /nothing can be called __proto__/);
});
