import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../kernel/clock.ts';
import { type Claimed, claimIn, claimsFrom, type ProofClaim, ReplaySet } from './replay.ts';

const at = (id: string, expiresAt: number): ProofClaim => ({ id, expiresAt });

describe('the set of used proofs', () => {
  test('says no the second time, until the proof has run out', () => {
    const clock = new ManualClock(1_000_000);
    const set = new ReplaySet(clock, 10);
    assert.equal(set.claim(at('a', 1_060_000)), 'fresh');
    assert.equal(set.claim(at('a', 1_060_000)), 'replayed');
    assert.equal(set.claim(at('a', 1_090_000)), 'replayed');
    clock.advance(60_000);
    assert.equal(set.claim(at('a', 1_060_000)), 'replayed');
    clock.advance(20_000);
    assert.equal(set.size, 1);
    assert.equal(set.claim(at('b', 1_100_000)), 'fresh');
    assert.equal(set.size, 1);
  });

  test('refuses rather than forgets when it is full', () => {
    const clock = new ManualClock(0);
    const set = new ReplaySet(clock, 2);
    assert.deepEqual(
      ['a', 'b', 'c', 'a'].map((id) => set.claim(at(id, 60_000))),
      ['fresh', 'fresh', 'unavailable', 'replayed'],
    );
    clock.advance(70_001);
    assert.equal(set.claim(at('c', 120_000)), 'fresh');
    assert.equal(set.claim(at('d', Number.POSITIVE_INFINITY)), 'unavailable');
  });

  test('never lets a proof pass twice before it has run out, and never holds more than it may', () => {
    const step = fc.record({
      id: fc.integer({ min: 0, max: 20 }),
      life: fc.integer({ min: 0, max: 70_000 }),
      wait: fc.integer({ min: 0, max: 9000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clock = new ManualClock(5_000_000);
        const set = new ReplaySet(clock, 15);
        const until = new Map<number, number>();
        for (const { id, life, wait } of steps) {
          clock.advance(wait);
          const now = clock.wall();
          const word = set.claim(at(String(id), now + life));
          if ((until.get(id) ?? 0) > now) assert.notEqual(word, 'fresh');
          if (word === 'fresh') until.set(id, now + life);
          assert.ok(set.size <= 15);
        }
      }),
    );
  });
});

describe('a set that nodes share', () => {
  const tell = (word: Claimed) => async (claims: readonly ProofClaim[]) => claims.map(() => word);
  for (const [what, shared, without, answer] of [
    ['knows nothing of it', tell('fresh'), 'refuse', ['fresh', 'fresh']],
    ['has seen it', tell('replayed'), 'refuse', ['replayed', 'replayed']],
    ['is gone', tell('unavailable'), 'refuse', ['unavailable', 'unavailable']],
    ['is gone, and this node may go on', tell('unavailable'), 'local', ['fresh', 'fresh']],
    ['says too little', async () => ['fresh'] as const, 'refuse', ['fresh', 'unavailable']],
  ] as const) {
    test(`${what}: ${answer.join(', ')}`, async () => {
      const claim = claimIn(new ReplaySet(new ManualClock(0), 10), shared, without);
      assert.deepEqual(await claim([at('a', 1000), at('b', 1000)]), answer);
      assert.deepEqual(await claim([at('a', 1000)]), ['replayed']);
    });
  }

  test('is not asked about what this node has seen', async () => {
    const asked: string[][] = [];
    const claim = claimIn(
      new ReplaySet(new ManualClock(0), 10),
      async (claims) => {
        asked.push(claims.map(({ id }) => id));
        return claims.map(() => 'fresh' as const);
      },
      'refuse',
    );
    await claim([at('a', 1000)]);
    assert.deepEqual(await claim([at('a', 1000), at('b', 1000)]), ['replayed', 'fresh']);
    assert.deepEqual(asked, [['a'], ['b']]);
  });
});

test('what is no list of proofs is refused', () => {
  for (const wrong of [undefined, {}, [1], [{ id: 1, expiresAt: 1 }], [{ id: 'a' }]])
    assert.throws(() => claimsFrom(wrong));
});
