import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heard } from './heard.ts';

test('what was told by an answer is in the ledger when what came before the answer was read', () => {
  const heard = new Heard();
  assert.equal(heard.written(undefined), -1);
  assert.equal(heard.written(100), 0, 'nothing was heard');
  heard.hear(5000, 100);
  assert.equal(heard.written(100), 0, 'it was read when the answer came, or before');
  heard.hear(5500, 600);
  assert.equal(heard.written(500), 5000);
  assert.equal(heard.time, 5500);
  // The next one counts from where the first has been found.
  heard.hear(6000, 1100);
  assert.equal(heard.written(1000), 5000);
  assert.equal(heard.written(1101), 6000);
  heard.anew();
  assert.equal(heard.time, 0);
  assert.equal(heard.written(2000), 0);
  heard.hear(30, 2500);
  assert.equal(heard.written(2400), 0);
  assert.equal(heard.written(2501), 30);
});
