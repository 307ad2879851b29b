import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Round, sumErrors, summarise } from './figures.ts';

const rounds = (...cpu: (number | undefined)[]): Round[] =>
  cpu.map((value) => ({ figures: value === undefined ? {} : { cpu: value }, errors: {} }));

test('ratios are taken round by round, so that a slow spell of the machine cancels', () => {
  const { cpu } = summarise(rounds(20, 40, 22), rounds(10, 20, 11));
  assert.deepEqual(cpu, { value: 22, spread: 0, ratio: 2 });
});

test('the reference shows the spread of its values', () => {
  const reference = rounds(9, 10, 11);
  assert.deepEqual(summarise(reference, reference).cpu, { value: 10, spread: 0.1, ratio: 1 });
});

test('without a reference there is no ratio, without values no figure', () => {
  assert.deepEqual(summarise(rounds(9, 10, 11), undefined).cpu, { value: 10, spread: 0.1 });
  assert.equal(summarise(rounds(undefined), rounds(1)).cpu, undefined);
  assert.deepEqual(summarise(rounds(5), rounds(undefined)).cpu, { value: 5, spread: 0 });
});

test('a round that failed leaves the others paired as they were', () => {
  const { cpu } = summarise(rounds(20, undefined, 30), rounds(10, 1, 10));
  assert.equal(cpu?.ratio, 2.5);
});

test('errors add up over the rounds', () => {
  const failed = [{ reset: 1 }, {}, { reset: 2, 'status 502': 3 }].map((errors) => ({ figures: {}, errors }));
  assert.deepEqual(sumErrors(failed), { reset: 3, 'status 502': 3 });
});

test('what was lost in one round is in the sum, not lost in a median', () => {
  const trial = [0, 0, 3].map((reset) => ({ figures: { sent: 1000, reset, lost: reset }, errors: {} }));
  const { sent, reset, lost } = summarise(trial, trial);
  assert.deepEqual([sent?.value, reset?.value, lost?.value], [3000, 3, 1]);
  assert.equal(reset?.ratio, undefined);
});
