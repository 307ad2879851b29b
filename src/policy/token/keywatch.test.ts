/** What ends with a key, when the one who watches is late: he must not end what came after. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualClock, systemClock } from '../../kernel/clock.ts';
import { openStore } from '../../store/open.ts';
import type { Put } from '../../store/store.ts';
import { KeyWatch } from './keywatch.ts';
import type { Ended } from './parts.ts';

const ID = 'key-1';

interface KeyState {
  readonly ended: boolean;
  readonly until?: number;
}

const keyPut = (value: KeyState): Put => ({ op: 'put', kind: 'key', id: ID, value });
const revocation = (value: Ended): Put => ({ op: 'put', kind: 'revocation', id: value.value, value });

/** A store, and a watcher who begins at its first revision; `meanwhile` happens between his looking and his writing. */
async function house(t: TestContext, meanwhile: () => Promise<unknown> = async () => {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-keywatch-'));
  const clock = new ManualClock();
  const store = await openStore({ driver: 'sqlite', path: join(folder, 'state.db'), lockTimeout: 60_000 }, folder, {
    clock: { ...systemClock, wall: () => clock.wall() },
  });
  let due: typeof meanwhile | undefined = meanwhile;
  const watch = new KeyWatch(
    {
      clock,
      store,
      keyChange: ({ kind, document }) => {
        if (kind !== 'key') return undefined;
        const state = document?.value as KeyState | undefined;
        return { id: ID, ended: state?.ended ?? true, until: state?.until };
      },
      revocation,
      endedUpTo: async () => 0,
      isRevoked: async () => {
        const once = due;
        due = undefined;
        await once?.();
        return false;
      },
      notice: (_, message) => assert.fail(message),
    },
    () => {},
  );
  t.after(async () => {
    watch.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });
  await store.write([{ op: 'put', kind: 'tokenWatch', id: 'keys', value: { revision: 0 } }]);
  const written = async () => (await store.get<Ended>('revocation', ID))?.value;
  return { clock, store, watch, written };
}

test('a key that has ended takes its tokens along', async (t) => {
  const { store, watch, written } = await house(t);
  await store.write([keyPut({ ended: true })]);
  await watch.start();
  assert.equal((await written())?.issuedUpTo, undefined);
  assert.equal((await written())?.kind, 'session');
});

for (const [what, end] of [
  ['switched off', keyPut({ ended: true })],
  ['deleted', { op: 'delete', kind: 'key', id: ID }],
] as const) {
  test(`a key that was ${what} and is back before that is written keeps its new tokens`, async (t) => {
    const back = revocation({ kind: 'session', value: ID, issuedUpTo: 5999, forgetAt: 1e15 });
    const { store, watch, written } = await house(t, () => store.write([keyPut({ ended: false }), back]));
    await store.write([keyPut({ ended: false })]);
    await store.write([end]);
    await watch.start();
    assert.equal((await written())?.issuedUpTo, 5999);
  });
}

test('a key that is to end soon ends the tokens of before that was said, however late it is heard', async (t) => {
  const { clock, store, watch, written } = await house(t);
  const changedAt = clock.wall();
  await store.write([keyPut({ ended: false, until: changedAt + 60_000 })]);
  clock.advance(3000);
  await watch.start();
  // What was given out since then holds no longer than the key.
  assert.equal((await written())?.issuedUpTo, changedAt - 1000);
});
