import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../kernel/clock.ts';
import { RedisProofs } from './redisproofs.ts';

/** As much of a Redis as is asked here. */
function memory() {
  const kept = new Map<string, string>();
  let away = '';
  const redis = {
    prefix: 'p:',
    ready: true,
    async send([command = '', key = '', value = '', nx = '']: readonly string[]) {
      if (command === away) throw new Error('away');
      if (command === 'GET') return kept.get(key) ?? null;
      assert.deepEqual([command, nx], ['SET', 'NX']);
      if (kept.has(key)) return null;
      kept.set(key, value);
      return 'OK';
    },
  };
  return {
    kept,
    redis,
    lose: (command: string) => {
      away = command;
    },
  };
}

const LIFE = 70_000;

test('a Redis that has lost its data lets no node take a proof twice', async () => {
  const { redis, kept } = memory();
  const clock = new ManualClock();
  const node = () => Object.assign(new RedisProofs(redis, clock), { lifetimeMs: LIFE });
  const [one, two] = [node(), node()];
  const proof = (id: string, lifeMs = 65_000) => ({ id, expiresAt: clock.wall() + lifeMs });
  const used = proof('a', LIFE);
  assert.deepEqual(await one.claim([used, proof('b')]), ['fresh', 'fresh']);
  assert.deepEqual(await two.claim([used, proof('c')]), ['replayed', 'fresh']);
  clock.advance(30_000);
  kept.clear();
  // Whoever comes first puts the mark there again; the other one sees that it is another one.
  assert.deepEqual(await two.claim([used]), ['unavailable']);
  assert.deepEqual(await one.claim([proof('d')]), ['unavailable'], 'it may have been made ahead of its time');
  assert.deepEqual(await one.claim([used]), ['replayed']);
  clock.advance(6000);
  assert.deepEqual(await one.claim([proof('e')]), ['fresh']);
  assert.deepEqual(await two.claim([proof('f'), proof('e')]), ['fresh', 'replayed']);
  clock.advance(LIFE);
  assert.deepEqual(await two.claim([proof('g', 1)]), ['fresh']);
});

test('many at once that miss the mark agree on one', async () => {
  const { redis, kept } = memory();
  const clock = new ManualClock();
  const proofs = Object.assign(new RedisProofs(redis, clock), { lifetimeMs: LIFE });
  const claims = (name: string) => [{ id: name, expiresAt: clock.wall() + 65_000 }];
  const many = async (name: string) =>
    (await Promise.all([0, 1, 2, 3].map((i) => proofs.claim(claims(`${name}${i}`))))).flat();
  assert.deepEqual(await many('a'), Array(4).fill('fresh'));
  kept.clear();
  assert.deepEqual(await many('b'), Array(4).fill('unavailable'));
  clock.advance(6000);
  assert.deepEqual(await many('c'), Array(4).fill('fresh'));
});

test('what cannot be asked is not known', async () => {
  for (const command of ['GET', 'SET']) {
    const { redis, lose } = memory();
    const clock = new ManualClock();
    const proofs = new RedisProofs(redis, clock);
    lose(command);
    assert.deepEqual(await proofs.claim([{ id: 'a', expiresAt: clock.wall() + 1 }]), ['unavailable'], command);
    assert.equal(proofs.failures, 1);
    lose('');
    assert.deepEqual(await proofs.claim([{ id: 'b', expiresAt: clock.wall() + 1 }]), ['fresh'], command);
  }
});
