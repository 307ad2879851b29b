import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Revocation } from '../../policy/access/access.ts';
import { DATED_AHEAD_MAX_MS, datedUpTo } from '../../policy/token/config.ts';
import { tokensBegin, tokensEnd } from './endedtokens.ts';

/** A store that holds what was last written under each id. */
function memory() {
  const kept = new Map<string, Revocation>();
  return {
    store: { get: async (_: string, id: string) => kept.has(id) && { value: kept.get(id) } } as never,
    write: (writes: readonly object[]) => {
      for (const { id, value } of writes as { id: string; value: Revocation }[]) kept.set(id, value);
    },
    ended: () => [...kept.values()][0],
  };
}

test('what was ended stays ended, and what comes after holds, however soon after one another', async () => {
  const waits = fc.oneof(fc.nat(1500), fc.nat(20));
  const step = fc.record({ wait: waits, tokens: fc.integer({ min: 0, max: 2 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), fc.nat(1000), async (steps, start) => {
      const { store, write, ended } = memory();
      let now = 1_700_000_000_000 + start;
      const old: number[] = [];
      /** As the service dates them: after what has ended, in whole seconds. */
      const dated = () => Math.floor(Math.max(now, (ended()?.issuedUpTo ?? 0) + 1) / 1000) * 1000;
      for (const { wait, tokens } of steps) {
        now += wait;
        // The service gives none that would be dated further ahead.
        for (let i = 0; i < tokens; i++) if (dated() <= now + DATED_AHEAD_MAX_MS) old.push(dated());
        write([await tokensEnd(store, 'client', 'batch', now)]);
        assert.equal(ended()?.issuedUpTo, undefined, 'all of them');
        write(await tokensBegin(store, 'client', 'batch', now));
        const upTo = ended()?.issuedUpTo ?? 0;
        for (const issuedAt of old) assert.ok(issuedAt <= upTo, `${issuedAt} lives again after ${upTo}`);
        assert.ok(dated() > upTo, 'a new one holds');
        assert.ok(dated() - now < DATED_AHEAD_MAX_MS + 7000, 'which comes in seconds, however often that happens');
      }
    }),
  );
});

test('nothing is written where nothing had ended', async () => {
  assert.deepEqual(await tokensBegin(memory().store, 'session', 'k', 1), []);
});

test('up to when tokens are dated', () => {
  for (const [now, before, expected] of [
    [5000, undefined, 5999],
    [5999, 0, 5999],
    [5100, 4999, 5999],
    [5100, 5999, 6999],
    [5100, 6999, 7999],
    [9000, 5999, 9999],
    [5100, 34_999, 35_999],
    [5100, 35_500, 35_999],
    [5100, 35_999, 35_999],
    [5100, 90_999, 90_999],
  ] as const) {
    assert.equal(datedUpTo(now, before), expected, `${now} after ${before}`);
  }
});
