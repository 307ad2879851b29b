import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { Hmac } from './hmac.ts';

test('digests are those of the library, whatever the key and the text', () => {
  const latin1 = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(latin1, { minLength: 1, maxLength: 4 }),
      (key, texts) => {
        const hmac = new Hmac(key);
        for (const text of texts) {
          const expected = createHmac('sha256', key).update(text, 'latin1').digest('hex');
          assert.equal(hmac.digest(text).toString('hex'), expected);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('every length up to some blocks', () => {
  const hmac = new Hmac('pepper');
  for (let length = 0; length < 200; length++) {
    const text = 'k'.repeat(length);
    assert.equal(hmac.digest(text).toString('hex'), createHmac('sha256', 'pepper').update(text).digest('hex'));
  }
});
