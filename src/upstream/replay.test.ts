import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Replay } from './replay.ts';

test('what was sent is kept as a copy, in order, while there is room', () => {
  const replay = new Replay(65_536);
  assert.equal(replay.complete, true, 'nothing has been sent yet');
  const buffer = Buffer.from('.abcd.');
  replay.keep(buffer, 1, 3);
  replay.keep(buffer, 3, 5);
  buffer.fill(0);
  assert.equal(Buffer.concat(replay.pieces).toString(), 'abcd');
  const big = Buffer.alloc(65_532, 1);
  replay.keep(big, 0, big.length);
  assert.equal(replay.complete, true);
  assert.equal(Buffer.concat(replay.pieces).length, 65_536);
  replay.keep(big, 0, 1);
  assert.equal(replay.complete, false, 'one byte more');
  assert.equal(replay.pieces.length, 0, 'and the memory is free');
  replay.keep(big, 0, 1);
  assert.equal(replay.pieces.length, 0, 'a body with a gap is no body');
});

test('a slice that was not kept makes it incomplete for good', () => {
  const replay = new Replay(65_536);
  replay.keep(Buffer.from('a'), 0, 1);
  replay.forget();
  replay.keep(Buffer.from('b'), 0, 1);
  assert.equal(replay.complete, false);
  assert.equal(replay.pieces.length, 0);
});
