import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KeyFacts } from './document.ts';
import { KeyTable } from './table.ts';

const digest = (n: number) => createHash('sha256').update(String(n)).digest();

function facts(id: number, secret: number, more: Partial<KeyFacts> = {}): KeyFacts {
  const shared = { plan: '', scopes: ['a'], roles: [], models: undefined, networks: [], labels: {}, trial: false };
  const own = {
    id: `key-${id}`,
    hash: digest(secret).toString('base64url'),
    principal: `p\u00e4${id}`,
    disabled: false,
  };
  return { tenant: `t${id % 3}`, ...shared, ...own, ...more };
}

const op = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('put' as const), id: fc.nat(40), secret: fc.nat(40) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), id: fc.nat(40), secret: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reload' as const), id: fc.nat(40), secret: fc.constant(0) }) },
);

test('a table finds what a map would find, whatever was put, changed, taken out and told anew', () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 300 }), (ops) => {
      const table = new KeyTable();
      const byId = new Map<number, number>();
      for (const { kind, id, secret } of ops) {
        if (kind === 'put') {
          // Two keys never have the same digest, or one could not be told from the other.
          for (const [other, its] of byId) {
            if (its !== secret || other === id) continue;
            byId.delete(other);
            table.remove(`key-${other}`);
          }
          byId.set(id, secret);
          table.put(facts(id, secret));
        } else if (kind === 'remove') {
          byId.delete(id);
          table.remove(`key-${id}`);
        } else {
          table.begin();
          for (const [known, its] of byId) {
            if (known < id) table.put(facts(known, its));
            else byId.delete(known);
          }
          table.complete();
        }
      }
      assert.equal(table.size, byId.size);
      const owner = new Map([...byId].map(([id, secret]) => [secret, id]));
      for (let secret = 0; secret <= 40; secret++) {
        const row = table.find(digest(secret));
        const id = owner.get(secret);
        assert.equal(row >= 0, id !== undefined);
        if (id === undefined) continue;
        assert.deepEqual([table.id(row), table.principal(row)], [`key-${id}`, `p\u00e4${id}`]);
        assert.equal(table.profile(row).tenant, `t${id % 3}`);
      }
    }),
    { numRuns: 300 },
  );
});

test('whatever happens to a key changes the version of its row', () => {
  const table = new KeyTable();
  table.put(facts(1, 1));
  const row = table.find(digest(1));
  const seen = new Set([table.versions[row]]);
  const changes = [
    () => table.put(facts(1, 1, { disabled: true })),
    () => table.put(facts(1, 2)),
    () => table.remove('key-1'),
    () => table.put(facts(2, 9)),
  ];
  for (const change of changes) {
    change();
    assert.ok(!seen.has(table.versions[row]), 'a version never comes again');
    seen.add(table.versions[row]);
  }
  assert.equal(table.find(digest(9)), row, 'rows are used again');
});

test('times and flags come back as they were put', () => {
  const table = new KeyTable();
  table.put(facts(1, 1, { notBefore: 1_750_000_000_001, expiresAt: 1_850_000_000_003, disabled: true }));
  const row = table.find(digest(1));
  assert.deepEqual(
    [table.notBefore(row), table.expiresAt(row), table.disabled(row)],
    [1_750_000_000_001, 1_850_000_000_003, true],
  );
  assert.throws(() => table.put(facts(2, 2, { hash: 'short' })), /no hash of 32 bytes/);
  assert.equal(table.size, 1);
});

test('many changes of a few keys do not fill the memory', () => {
  const table = new KeyTable();
  for (let i = 0; i < 20_000; i++) table.put(facts(i % 50, i % 50, { labels: { n: String(i) } }));
  assert.equal(table.size, 50);
  assert.ok(table.bytes < 500_000, `${table.bytes} bytes`);
  for (let i = 0; i < 50; i++) assert.equal(table.id(table.find(digest(i))), `key-${i}`);
});
