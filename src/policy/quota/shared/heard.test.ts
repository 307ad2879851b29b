import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heard } from './heard.ts';

test('nothing was heard at first', () => {
  const heard = new Heard(100);
  assert.equal(heard.elapsed(150), -1);
  assert.equal(heard.askedAt, 100);
});

test('the first answer counts, whenever it was asked for', () => {
  const heard = new Heard(100);
  assert.equal(heard.take(5000, 'a', 90), false);
  assert.deepEqual([heard.at, heard.home, heard.askedAt, heard.elapsed(100)], [5000, 'a', 90, 10]);
});

test('an older answer that comes later changes no time', () => {
  const heard = new Heard(0);
  heard.take(5000, 'a', 20);
  assert.equal(heard.take(4990, 'a', 10), false);
  assert.deepEqual([heard.at, heard.askedAt], [5000, 20]);
  assert.equal(heard.take(5010, 'a', 20), false);
  assert.equal(heard.at, 5010);
});

test('other data means that what was there is lost, once', () => {
  const heard = new Heard(0);
  heard.take(5000, 'a', 1);
  assert.equal(heard.take(7, 'b', 2), true);
  assert.equal(heard.take(8, 'b', 3), false);
  assert.deepEqual([heard.at, heard.home], [8, 'b']);
});
