import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countTokens, Dice, hash, prose, splitTokens } from './token.ts';

test('known cuts', () => {
  const cases: [text: string, tokens: string[]][] = [
    ['', []],
    ['Hello world', ['Hello', ' world']],
    ['Stop. Go!', ['Stop', '.', ' Go', '!']],
    ['a  b', ['a', ' ', ' b']],
    ['a\n\nb', ['a', '\n\n', 'b']],
    ['abcdefghijklmnop', ['abcdefghijkl', 'mnop']],
    ['x ', ['x', ' ']],
    ['{"a":1}', ['{', '"', 'a', '"', ':', '1', '}']],
    ['東京 🚀', ['東京', ' 🚀']],
  ];
  for (const [text, tokens] of cases) assert.deepEqual(splitTokens(text), tokens);
});

test('tokens join to the text, are counted alike, and never cut a character', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), (text) => {
      const tokens = splitTokens(text);
      assert.equal(tokens.join(''), text);
      assert.equal(countTokens(text), tokens.length);
      for (const token of tokens) {
        assert.ok(token.length > 0);
        assert.equal(Buffer.from(token).toString(), token);
      }
    }),
  );
});

test('prose has exactly as many tokens as asked for, and is the same for the same seed', () => {
  fc.assert(
    fc.property(fc.nat(300), fc.integer(), (count, seed) => {
      const text = prose(count, new Dice(seed));
      assert.equal(countTokens(text), count);
      assert.equal(prose(count, new Dice(seed)), text);
    }),
  );
});

test('hash depends on text and seed', () => {
  assert.notEqual(hash('a', 1), hash('b', 1));
  assert.notEqual(hash('a', 1), hash('a', 2));
  assert.equal(hash('a', 1), hash('a', 1));
});
