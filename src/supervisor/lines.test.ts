import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineCutter } from './lines.ts';

test('lines: however the bytes are cut, whole lines come out and nothing is lost', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 20 })), fc.array(fc.nat(7)), (lines, cuts) => {
      const all = Buffer.from(lines.join('\n'));
      const cutter = new LineCutter();
      const out: Buffer[] = [];
      let at = 0;
      for (let i = 0; at < all.length; i++) {
        const size = 1 + (cuts[i % Math.max(1, cuts.length)] ?? 3);
        const whole = cutter.push(all.subarray(at, at + size));
        if (whole) {
          assert.equal(whole.at(-1), 10);
          out.push(Buffer.from(whole));
        }
        at += size;
      }
      const rest = cutter.end();
      if (rest) out.push(rest);
      const expected = all.length > 0 && all.at(-1) !== 10 ? Buffer.concat([all, Buffer.from('\n')]) : all;
      assert.deepEqual(Buffer.concat(out), expected);
    }),
  );
});

test('lines: one that is too long is dropped alone, and counted', () => {
  const cutter = new LineCutter(8);
  assert.equal(cutter.push(Buffer.from('ok\n1234'))?.toString(), 'ok\n');
  assert.equal(cutter.push(Buffer.from('56789')), undefined);
  assert.equal(cutter.push(Buffer.from('0\nnext\nha'))?.toString(), 'next\n');
  assert.equal(cutter.dropped, 11);
  assert.equal(cutter.end()?.toString(), 'ha\n');
});
