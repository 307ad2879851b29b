import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isOurs, KEY_LENGTH, KEY_PATTERN, keyFault, mintKey, mintKeyId } from './key.ts';

const bytes = fc.uint8Array({ minLength: 24, maxLength: 24 });
const mode = fc.constantFrom('live' as const, 'test' as const);
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

test('every key is well formed, is found by the pattern for scanners, and holds all its chance', () => {
  const seen = new Map<string, string>();
  fc.assert(
    fc.property(bytes, mode, (random, kind) => {
      const key = mintKey(kind, () => random);
      assert.equal(key.length, KEY_LENGTH);
      assert.ok(isOurs(key));
      assert.equal(keyFault(key), undefined);
      assert.equal(KEY_PATTERN.exec(`token="${key}";`)?.[0], key);
      const name = `${kind}${Buffer.from(random).toString('hex')}`;
      assert.equal(seen.get(key) ?? name, name);
      seen.set(key, name);
    }),
  );
});

test('a known key, so that the format never changes unseen', () => {
  const key = mintKey('live', (count) => new Uint8Array(count).map((_, i) => i));
  assert.equal(key, 'gh_live_000A7dl5PEW67zZCpFU9uKaHnGgOvQKAR0qNdTm');
});

test('a single wrong character is always told', () => {
  fc.assert(
    fc.property(bytes, mode, fc.nat(), fc.nat(), (random, kind, place, other) => {
      const key = mintKey(kind, () => random);
      const at = 8 + (place % (KEY_LENGTH - 8));
      const wrong = ALPHABET[other % ALPHABET.length] as string;
      if (wrong === key[at]) return;
      assert.equal(keyFault(key.slice(0, at) + wrong + key.slice(at + 1)), 'checksum');
    }),
    { numRuns: 2000 },
  );
});

test('two neighbours that changed places, and a prefix that was swapped, are told', () => {
  fc.assert(
    fc.property(bytes, fc.nat(), (random, place) => {
      const key = mintKey('live', () => random);
      const at = 8 + (place % (KEY_LENGTH - 9));
      const [a, b] = [key[at] as string, key[at + 1] as string];
      if (a !== b) assert.equal(keyFault(key.slice(0, at) + b + a + key.slice(at + 2)), 'checksum');
      assert.equal(keyFault(`gh_test_${key.slice(8)}`), 'checksum');
    }),
  );
});

test('what is no key is told by what is wrong with it', () => {
  const key = mintKey('live');
  const cases: [string, ReturnType<typeof keyFault>][] = [
    [key.slice(0, -1), 'length'],
    [`${key}0`, 'length'],
    [`${key.slice(0, 20)}-${key.slice(21)}`, 'character'],
    [`${key.slice(0, 20)} ${key.slice(21)}`, 'character'],
    [`${key.slice(0, 20)}\u00e9${key.slice(21)}`, 'character'],
    ['gh_live_', 'length'],
    [key, undefined],
  ];
  for (const [text, fault] of cases) assert.equal(keyFault(text), fault, text);
  assert.ok(!isOurs('sk-something'));
});

test('ids are words of one length', () => {
  for (let i = 0; i < 200; i++) assert.match(mintKeyId(), /^key_[0-9A-Za-z]{12}$/);
});
