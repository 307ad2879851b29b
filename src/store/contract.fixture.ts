/** What every driver keeps to: the contract of store.ts as tests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { recordsContract } from './records.fixture.ts';
import { collect, isFault, put, Stage, type Subject } from './stage.fixture.ts';
import type { Change, Document, Listed, Store } from './store.ts';

/** Registers the contract's tests for one driver. */
export function contract(name: string, subject: Subject): void {
  describe(name, () => {
    const stage = new Stage(subject);
    recordsContract(stage);

    test('a document comes back as it was put, in a store opened anew too', async () => {
      const value = { text: 'größe 模型 🙂 \u0000 \ud800', list: [1, null, true, 2 ** 53 - 1, 1e-7], empty: {} };
      const version = await stage.write(
        put('a', value, { parent: 'acme', lookups: ['x', 'ÿ🙂'], expiresAt: 2_000_000_000_000 }),
      );
      await stage.store.close();
      stage.store = await stage.open();
      const found = await stage.store.get('key', 'a');
      assert.ok(found !== undefined && found.updatedAt > 1_600_000_000_000);
      assert.deepEqual(found, {
        kind: 'key',
        id: 'a',
        version,
        updatedAt: found.updatedAt,
        parent: 'acme',
        lookups: ['x', 'ÿ🙂'],
        expiresAt: 2_000_000_000_000,
        value,
      });
      assert.deepEqual(await stage.store.find('key', 'ÿ🙂'), found);
      assert.deepEqual(
        [await stage.store.get('key', 'b'), await stage.store.get('tenant', 'a'), await stage.store.find('key', 'a')],
        [undefined, undefined, undefined],
      );
    });

    test('a write that expects another version changes nothing and says what it found', async () => {
      assert.equal(await stage.store.revision(), 0);
      const first = await stage.write(put('a', 1, { expect: 0 }));
      const conflict = (id: string, version: number) => ({
        ok: false,
        conflict: { reason: 'version', kind: 'key', id, version, lookup: '', holder: '' },
      });
      assert.deepEqual(await stage.store.write([put('b', 1), put('a', 2, { expect: 0 })]), conflict('a', first));
      assert.deepEqual(await stage.store.write([put('a', 2, { expect: first + 1 })]), conflict('a', first));
      assert.deepEqual(await stage.store.write([{ op: 'delete', kind: 'key', id: 'b', expect: 7 }]), conflict('b', 0));
      assert.deepEqual(
        await stage.store.write([put('c', 1), { op: 'check', kind: 'key', id: 'a', expect: 0 }]),
        conflict('a', first),
      );
      assert.deepEqual(
        [
          await stage.store.get('key', 'b'),
          await stage.store.get('key', 'c'),
          (await stage.store.get('key', 'a'))?.value,
        ],
        [undefined, undefined, 1],
      );
      assert.equal(await stage.store.revision(), first);
      const second = await stage.write(put('a', 2, { expect: first }), {
        op: 'check',
        kind: 'key',
        id: 'b',
        expect: 0,
      });
      assert.ok(second > first);
      assert.equal(
        await stage.write({ op: 'check', kind: 'key', id: 'a', expect: second }),
        second,
        'a check alone writes nothing',
      );
      assert.equal(await stage.write(), second, 'nor does nothing');
    });

    test('a version is never used twice, not even by a document that is deleted and made again', async () => {
      const first = await stage.write(put('a', 1));
      await stage.write({ op: 'delete', kind: 'key', id: 'a' });
      const again = await stage.write(put('a', 1, { expect: 0 }));
      assert.ok(again > first);
      assert.equal((await stage.store.write([put('a', 2, { expect: first })])).ok, false);
    });

    test('names are unique in their kind, move within a transaction, and are free after a deletion', async () => {
      await stage.write(put('a', 1, { lookups: ['x', 'y'] }), { ...put('a', 1, { lookups: ['x'] }), kind: 'tenant' });
      assert.deepEqual(await stage.store.write([put('b', 1, { lookups: ['z', 'y'] })]), {
        ok: false,
        conflict: { reason: 'lookup', kind: 'key', id: 'b', version: 0, lookup: 'y', holder: 'a' },
      });
      assert.equal(await stage.store.find('key', 'z'), undefined);
      await stage.write(put('b', 1, { lookups: ['y'] }), put('a', 1, { lookups: ['x'] }));
      assert.deepEqual(
        [(await stage.store.find('key', 'x'))?.id, (await stage.store.find('key', 'y'))?.id],
        ['a', 'b'],
      );
      await stage.write({ op: 'delete', kind: 'key', id: 'a' });
      assert.equal(await stage.store.find('key', 'x'), undefined);
      await stage.write(put('c', 1, { lookups: ['x'] }));
      assert.equal((await stage.store.find('key', 'x'))?.id, 'c');
      assert.equal(
        (await stage.store.write([put('d', 1, { lookups: ['q'] }), put('e', 1, { lookups: ['q'] })])).ok,
        false,
      );
    });

    test('lists go by id in pages, whole or by parent', async () => {
      const ids = ['A', 'B', 'a', 'b', 'z', 'ä', '模', '\ufffd', '🙂'];
      await stage.write(...[...ids].reverse().map((id, i) => put(id, i, { parent: i % 2 === 0 ? 'even' : '' })));
      const seen: string[] = [];
      for (let after: string | undefined = ''; after !== undefined; ) {
        const listed: Listed = await stage.store.list('key', { after, limit: 2 });
        seen.push(...listed.documents.map(({ id }) => id));
        after = listed.next;
      }
      assert.deepEqual(seen, ids, 'in the order of UTF-8 bytes');
      assert.deepEqual(
        (await collect(stage.store.scan('key', 4))).map(({ id }) => id),
        ids,
      );
      const even = await stage.store.list('key', { parent: 'even' });
      assert.deepEqual([even.documents.map(({ id }) => id), even.next], [ids.filter((_, i) => i % 2 === 0), undefined]);
      assert.deepEqual((await stage.store.list('tenant')).documents, []);
      assert.equal((await stage.store.list('key', { limit: ids.length })).next, undefined);
    });

    test('what has expired reads as absent, gives way, and becomes a deletion in the feed', async () => {
      await stage.write(put('now', 1));
      const soon = ((await stage.store.get('key', 'now')) as Document).updatedAt + 1000;
      await stage.write(
        put('a', 1, { lookups: ['x'], expiresAt: soon, parent: 'p' }),
        put('b', 1, { lookups: ['y'], expiresAt: soon }),
      );
      const stays = await stage.write(put('c', 1, { expiresAt: soon + 1 }));
      assert.equal((await stage.store.find('key', 'x'))?.id, 'a');
      stage.subject.advance(1000);
      assert.deepEqual([await stage.store.get('key', 'a'), await stage.store.find('key', 'x')], [undefined, undefined]);
      assert.deepEqual(
        (await stage.store.list('key')).documents.map(({ id }) => id),
        ['c', 'now'],
      );
      assert.deepEqual((await stage.store.list('key', { parent: 'p' })).documents, []);
      await stage.write(put('d', 1, { lookups: ['y'] }), put('a', 2, { expect: 0 }));
      assert.equal((await stage.store.find('key', 'y'))?.id, 'd');
      const swept = await stage.store.sweep();
      assert.deepEqual(swept, { expired: 1, tombstones: 0, history: 0, ledger: 0 });
      assert.equal((await stage.store.find('key', 'y'))?.id, 'd', 'a name that was taken over stays');
      const { changes } = await stage.store.changesSince(stays);
      assert.deepEqual(told(changes), ['a:2', 'd:1', 'b:-']);
    });

    const told = (changes: readonly Change[]) =>
      changes.map(({ id, document }) => `${id}:${document === undefined ? '-' : document.value}`);

    test('the feed tells each document once, in the order of versions, and keeps transactions whole', async () => {
      await stage.write(put('a', 1), put('b', 1), put('c', 1));
      await stage.write(put('d', 1));
      await stage.write(put('b', 2), { op: 'delete', kind: 'key', id: 'c' });
      assert.deepEqual(told((await stage.store.changesSince(0)).changes), ['a:1', 'd:1', 'b:2', 'c:-']);
      const first = await stage.store.changesSince(0, 1);
      assert.deepEqual([told(first.changes), first.more, first.reset], [['a:1'], true, false]);
      const third = await stage.store.changesSince(2, 1);
      assert.deepEqual([told(third.changes), third.more, third.revision], [['b:2', 'c:-'], false, 3]);
      assert.deepEqual(await stage.store.changesSince(3), { changes: [], revision: 3, more: false, reset: false });
      assert.equal((await stage.store.changesSince(4)).reset, true, 'the store was put back from an older copy');
    });

    test('deletions are forgotten by age; who comes from before that must load anew', async () => {
      await stage.write(put('a', 1), put('b', 1));
      const deleted = await stage.write({ op: 'delete', kind: 'key', id: 'a' });
      const at = (await stage.store.get('key', 'b'))?.updatedAt as number;
      assert.equal((await stage.store.sweep({ tombstonesBefore: at })).tombstones, 0);
      stage.subject.advance(1000);
      await stage.write(put('b', 2));
      assert.equal((await stage.store.sweep({ tombstonesBefore: at + 1000 })).tombstones, 1);
      assert.equal((await stage.store.changesSince(deleted - 1)).reset, true);
      assert.deepEqual(told((await stage.store.changesSince(deleted)).changes), ['b:2']);
      assert.deepEqual(told((await stage.store.changesSince(0)).changes), ['b:2'], 'who has nothing misses nothing');
    });

    test('watchers wake up by own writes and by those of another node', async () => {
      const other = await stage.open();
      const heard: string[] = [];
      const leave = stage.store.watch((revision) => heard.push(`own ${revision}`));
      other.watch((revision) => heard.push(`other ${revision}`));
      /** Until so much has been heard; who hears more has been told twice. */
      const settled = async (count: number) => {
        while (heard.length < count) await stage.subject.settle();
      };
      const version = await stage.write(put('a', 1));
      await settled(2);
      assert.deepEqual([...heard].sort(), [`other ${version}`, `own ${version}`]);
      leave();
      const result = await other.write([put('b', 1)]);
      assert.ok(result.ok);
      await settled(3);
      const last = await stage.write(put('c', 1));
      await settled(4);
      assert.deepEqual(heard.slice(2), [`other ${result.version}`, `other ${last}`]);
    });

    test('many writers at once: each write happens, and no version is lost', async () => {
      const other = await stage.open();
      const bump = async (through: Store): Promise<void> => {
        for (;;) {
          const now = await through.get<number>('key', 'n');
          const result = await through.write([put('n', (now?.value ?? 0) + 1, { expect: now?.version ?? 0 })]);
          if (result.ok) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, i) => bump(i % 2 === 0 ? stage.store : other)));
      assert.equal((await stage.store.get('key', 'n'))?.value, 20);
      assert.equal(await stage.store.revision(), 20);
    });

    test('a closed store says so', async () => {
      await stage.store.close();
      await stage.store.close();
      await assert.rejects(stage.store.get('key', 'a'), isFault('closed'));
      await assert.rejects(stage.store.write([put('a', 1)]), isFault('closed'));
    });
  });
}
