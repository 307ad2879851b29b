import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress } from './progress.ts';

test('what was told by an answer is in the ledger when what came before the answer was read', () => {
  const progress = new Progress();
  assert.equal(progress.written(undefined), -1);
  assert.equal(progress.written(100), 0, 'nothing was heard');
  progress.hear(5000, 100);
  assert.equal(progress.written(100), 0, 'it was read when the answer came, or before');
  progress.hear(5500, 600);
  assert.equal(progress.written(500), 5000);
  assert.equal(progress.time, 5500);
  // The next one counts from where the first has been found.
  progress.hear(6000, 1100);
  assert.equal(progress.written(1000), 5000);
  assert.equal(progress.written(1101), 6000);
  progress.anew();
  assert.equal(progress.time, 0);
  assert.equal(progress.written(2000), 0);
  progress.hear(30, 2500);
  assert.equal(progress.written(2400), 0);
  assert.equal(progress.written(2501), 30);
});
