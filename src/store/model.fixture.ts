/** Random work on a store beside a model in memory: both answer alike, and a reader of the feed ends with the same documents. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect, type Subject } from './stage.fixture.ts';
import type { Document, Store, Write, WriteResult } from './store.ts';

interface Held {
  version: number;
  value: unknown;
  parent: string;
  lookups: readonly string[];
  expiresAt: number | undefined;
}

type Step =
  | { do: 'write'; writes: readonly Draft[] }
  | { do: 'wait'; ms: number }
  | { do: 'sweep' | 'follow' | 'reopen' };
type Draft = Pick<Write, 'op' | 'kind' | 'id'> & {
  value: unknown;
  expect: 'any' | 'now' | 'none' | 'stale';
  parent: string;
  lookups: readonly string[];
  ttl: number | undefined;
};

const draft: fc.Arbitrary<Draft> = fc.record({
  op: fc.constantFrom('put', 'put', 'put', 'delete', 'check'),
  kind: fc.constantFrom('key', 'tenant'),
  id: fc.constantFrom('a', 'b', 'ä', '🙂'),
  value: fc.jsonValue(),
  expect: fc.constantFrom('any', 'now', 'now', 'none', 'stale'),
  parent: fc.constantFrom('', 'p', 'q'),
  lookups: fc.uniqueArray(fc.constantFrom('x', 'y', 'z'), { maxLength: 2 }),
  ttl: fc.option(fc.constantFrom(50, 150), { nil: undefined, freq: 3 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), writes: fc.array(draft, { maxLength: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(10, 100) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('sweep' as const, 'follow' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);

/** The store as it should be. */
class Model {
  readonly all = new Map<string, Held>();
  revision = 0;
  now = 0;

  alive(key: string): Held | undefined {
    const held = this.all.get(key);
    return held !== undefined && (held.expiresAt === undefined || held.expiresAt > this.now) ? held : undefined;
  }

  write(writes: readonly Write[]): boolean {
    const next = new Map(this.all);
    let changes = 0;
    for (const write of writes) {
      const key = `${write.kind} ${write.id}`;
      if (write.expect !== undefined && write.expect !== (this.alive(key)?.version ?? 0)) return false;
      if (write.op === 'put') {
        const { value, parent = '', lookups = [], expiresAt } = write;
        // What JSON keeps of it: no negative zero.
        next.set(key, {
          version: this.revision + 1,
          value: JSON.parse(JSON.stringify(value)),
          parent,
          lookups,
          expiresAt,
        });
        changes++;
      } else if (write.op === 'delete' && next.delete(key)) changes++;
    }
    const names = new Set<string>();
    for (const [key, held] of next) {
      if (held.expiresAt !== undefined && held.expiresAt <= this.now && held.version <= this.revision) continue;
      for (const lookup of held.lookups) {
        const name = `${key.split(' ')[0]} ${lookup}`;
        if (names.has(name)) return false;
        names.add(name);
      }
    }
    if (changes === 0) return true;
    this.all.clear();
    for (const [key, held] of next) this.all.set(key, held);
    this.revision++;
    return true;
  }

  /** Swept documents are gone. Names that a newer document took from an expired one never come back, as it never does. */
  sweep(): number {
    const gone = [...this.all.keys()].filter((key) => this.alive(key) === undefined);
    for (const key of gone) this.all.delete(key);
    if (gone.length > 0) this.revision++;
    return gone.length;
  }
}

const brief = ({ version, value, parent, lookups, expiresAt }: Held | Document): Held => ({
  version,
  value,
  parent,
  lookups: [...lookups],
  expiresAt,
});

/** Registers the property for one driver. */
export function modelTest(subject: Subject, numRuns: number): void {
  test('random work answers like a model in memory, and the feed tells all of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await subject.wipe();
        let store = await subject.open();
        try {
          const model = new Model();
          const replica = new Map<string, Held>();
          let at = 0;
          model.now = await wall(store);
          model.revision = await store.revision();
          model.all.clear();
          const start = model.revision;
          at = start;
          for (const each of [...steps, { do: 'follow' } as const]) {
            if (each.do === 'write') {
              const writes = finish(each.writes, model);
              const result: WriteResult = await store.write(writes);
              assert.equal(result.ok, model.write(writes), JSON.stringify(result));
              if (result.ok) assert.equal(result.version, model.revision);
            } else if (each.do === 'wait') {
              subject.advance(each.ms);
              model.now += each.ms;
            } else if (each.do === 'sweep') assert.equal((await store.sweep()).expired, model.sweep());
            else if (each.do === 'reopen') {
              await store.close();
              store = await subject.open();
            } else at = await follow(store, at, replica);
            if (each.do === 'follow') assert.deepEqual(sorted(replica), sorted(model.all));
            await compare(store, model);
          }
          assert.equal(await store.revision(), model.revision);
        } finally {
          await store.close();
        }
      }),
      { numRuns },
    );
  });
}

/** The clock of the store, by a document that is gone again. */
async function wall(store: Store): Promise<number> {
  await store.write([{ op: 'put', kind: 'probe', id: 'p', value: 1 }]);
  const now = (await store.get('probe', 'p'))?.updatedAt as number;
  await store.write([{ op: 'delete', kind: 'probe', id: 'p' }]);
  return now;
}

function finish(drafts: readonly Draft[], model: Model): Write[] {
  const seen = new Set<string>();
  return drafts
    .filter(({ kind, id }) => !seen.has(`${kind} ${id}`) && seen.add(`${kind} ${id}`))
    .map(({ op, kind, id, value, expect, parent, lookups, ttl }): Write => {
      const version = model.alive(`${kind} ${id}`)?.version ?? 0;
      const wanted = { any: undefined, now: version, none: 0, stale: version + 1000 }[expect];
      if (op === 'check') return { op, kind, id, expect: wanted ?? version };
      if (op === 'delete') return { op, kind, id, expect: wanted };
      return { op, kind, id, value, expect: wanted, parent, lookups, expiresAt: ttl && model.now + ttl };
    });
}

async function follow(store: Store, from: number, replica: Map<string, Held>): Promise<number> {
  let at = from;
  for (;;) {
    const { changes, revision, more, reset } = await store.changesSince(at, 1);
    assert.equal(reset, false);
    for (const { kind, id, document } of changes) {
      if (document === undefined) replica.delete(`${kind} ${id}`);
      else replica.set(`${kind} ${id}`, brief(document));
    }
    at = revision;
    if (!more) return at;
  }
}

const sorted = (map: ReadonlyMap<string, Held>) =>
  [...map].map(([key, held]) => [key, brief(held)] as const).sort(([a], [b]) => (a < b ? -1 : 1));

async function compare(store: Store, model: Model): Promise<void> {
  const found = new Map<string, Held>();
  for (const kind of ['key', 'tenant'])
    for (const document of await collect(store.scan(kind, 2))) found.set(`${kind} ${document.id}`, brief(document));
  const alive = new Map([...model.all].filter(([key]) => model.alive(key) !== undefined));
  assert.deepEqual(sorted(found), sorted(alive));
  for (const kind of ['key', 'tenant']) {
    for (const lookup of ['x', 'y', 'z']) {
      const holder = [...alive].find(([key, held]) => key.startsWith(`${kind} `) && held.lookups.includes(lookup));
      assert.equal((await store.find(kind, lookup))?.id, holder?.[0].slice(kind.length + 1));
    }
    const inP = (await store.list(kind, { parent: 'p' })).documents.map(({ id }) => `${kind} ${id}`);
    const wanted = [...alive].filter(([key, held]) => key.startsWith(`${kind} `) && held.parent === 'p');
    assert.deepEqual(inP.sort(), wanted.map(([key]) => key).sort());
  }
}
