import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesPattern, Patterns } from './pattern.ts';

const escaped = (text: string) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');

test('a pattern says what the regular expression says that it stands for', () => {
  const few = fc.string({ unit: fc.constantFrom('a', 'b', '*', '-'), maxLength: 8 });
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 10 });
  fc.assert(
    fc.property(few, name, (pattern, text) => {
      const meant = new RegExp(`^${escaped(pattern).replaceAll('*', '.*')}$`, 's');
      assert.equal(matchesPattern(pattern, text), meant.test(text));
    }),
    { numRuns: 2000 },
  );
});

test('several patterns allow what one of them allows', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'a*', '*b', 'a*b', 'c'), { maxLength: 4 }), fc.string(), (all, text) => {
      assert.equal(
        new Patterns(all).allow(text),
        all.some((one) => matchesPattern(one, text)),
      );
    }),
  );
  assert.equal(new Patterns([]).allow('a'), false);
  assert.equal(new Patterns(['*']).allow(''), true);
});
