import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AnswerSizes, type Answers } from './answersize.ts';

const LIMIT = 1_000_000;
const BEGIN = 4096;
const keyed = (key: string): Answers => ({ key, answerBytes: -1 });
const sizes = fc.integer({ min: 0, max: 100_000_000 });

test('what one key fetches raises or lowers nothing for others', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ who: fc.integer({ min: 0, max: 20 }), bytes: sizes, whole: fc.boolean() }), {
        maxLength: 200,
      }),
      (answers) => {
        const [all, without] = [new AnswerSizes(LIMIT), new AnswerSizes(LIMIT)];
        const keys = Array.from({ length: 21 }, (_, i) => keyed(`k${i}`));
        const same = Array.from({ length: 21 }, (_, i) => keyed(`k${i}`));
        // What others have shown, and what is expected at first.
        let [least, most] = [BEGIN, BEGIN];
        for (const { who, bytes, whole } of answers) {
          all.learn(keys[who] as Answers, bytes, whole);
          if (who === 0) continue;
          least = Math.min(least, bytes);
          most = Math.max(most, bytes);
          without.learn(same[who] as Answers, bytes, true);
          // Whoever has shown himself is taken for what he has shown.
          if (answers.every((one) => one.whole || one.who === 0))
            assert.equal(all.of(keys[who] as Answers), without.of(same[who] as Answers));
        }
        assert.ok(all.usual >= least && all.usual <= most, `${all.usual} is none of ${least} to ${most}`);
      },
    ),
  );
});

test('a new key begins with what several have in common, and knows better after one answer', () => {
  const sizes = new AnswerSizes(LIMIT);
  for (const [key, bytes, usual] of [
    ['a', 50_000, BEGIN],
    ['b', 60_000, BEGIN],
    ['c', 70_000, 50_000],
    ['c', 70_000, 50_000],
  ] as const) {
    const one = keyed(key);
    assert.ok(sizes.of(one) >= BEGIN);
    sizes.learn(one, bytes, true);
    assert.equal(sizes.of(one), bytes);
    assert.equal(sizes.usual, usual);
  }
  const small = keyed('d');
  // Cut off: it could have had more.
  sizes.learn(small, 400, false);
  assert.equal(sizes.of(small), 50_000);
  sizes.learn(small, 400, true);
  assert.equal(sizes.of(small), 400);
});

test('keys that strangers make are forgotten, the oldest first', () => {
  const sizes = new AnswerSizes(LIMIT);
  for (let i = 0; i < 1000; i++) sizes.learn(keyed(`large${i}`), 10_000_000, true);
  assert.equal(sizes.usual, 10_000_000);
  for (let i = 0; i < 16; i++) sizes.learn(keyed(`small${i}`), 500, true);
  assert.equal(sizes.usual, 500);
});
