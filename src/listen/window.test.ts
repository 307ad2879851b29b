import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputWindow } from './window.ts';

const text = (window: InputWindow) => window.buffer.toString('latin1', window.at, window.end);

test('a view while nothing waits, a copy of the rest where it must outlive the read', () => {
  const window = new InputWindow();
  assert.ok(window.empty);
  const read = Buffer.from('..abcdef..');
  window.add(read, 2, 8);
  assert.equal(window.buffer, read);
  assert.equal(text(window), 'abcdef');
  window.at += 4;
  window.keep(read);
  assert.notEqual(window.buffer, read);
  read.fill(0);
  assert.equal(text(window), 'ef');
  window.add(Buffer.from('gh'), 0, 2);
  assert.equal(text(window), 'efgh');
  assert.equal(window.size, 4);
  window.drop();
  assert.ok(window.empty);
  assert.equal(window.buffer.length, 0);
});

test('what is used up keeps no buffer alive; what is our own copy is not copied again', () => {
  const window = new InputWindow();
  const read = Buffer.from('ab');
  window.add(read, 0, 2);
  window.at = window.end;
  window.keep(read);
  assert.equal(window.buffer.length, 0);
  window.add(read, 0, 2);
  window.keep(read);
  const own = window.buffer;
  window.keep(read);
  assert.equal(window.buffer, own);
});

test('however it arrives and is used, no byte is lost or doubled', () => {
  const step = fc.record({ bytes: fc.uint8Array({ maxLength: 20 }), used: fc.nat(25), pad: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const window = new InputWindow();
      const shared = Buffer.alloc(32);
      const arrived: number[] = [];
      const used: number[] = [];
      for (const { bytes, used: wanted, pad } of steps) {
        shared.set(bytes, pad);
        arrived.push(...bytes);
        window.add(shared, pad, pad + bytes.length);
        const n = Math.min(wanted, window.size);
        used.push(...window.buffer.subarray(window.at, window.at + n));
        window.at += n;
        window.keep(shared);
        shared.fill(0xee);
      }
      used.push(...window.buffer.subarray(window.at, window.end));
      assert.deepEqual(used, arrived);
    }),
  );
});
