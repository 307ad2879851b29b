/** Journals of usage: what was written counts once, whoever dies when. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { Exchange, type Inbound, type RequestHead } from '../kernel/exchange.ts';
import { StoreError } from './error.ts';
import { JOURNAL_FOLDER, Journal, journalName, parseJournalFile } from './journal.ts';
import { JournalReader } from './journalreader.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import { droppedLine, IN_DOUBT, openLine, usageLine } from './usageline.ts';

function folderFor(t: { after(fn: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-journal-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function exchangeOf(id: string, cost: number): Exchange {
  const exchange = new Exchange({} as Inbound, {} as RequestHead, 0);
  exchange.id = id;
  exchange.cost = cost;
  exchange.outcome = 'completed';
  return exchange;
}

const begun = (id: string, cost: number) =>
  openLine(
    { exchange: exchangeOf(id, 0), reserved: { inputTokens: 1, outputTokens: 2, cost, charges: undefined } },
    id,
    1,
  );
const ended = (id: string, cost: number) => usageLine(exchangeOf(id, cost), id, 2);

/** A ledger in memory that can be told to fail. */
function memoryLedger() {
  const entries = new Map<string, LedgerEntry>();
  const state = { entries, fails: false };
  const ledger = {
    async append(more: readonly LedgerEntry[]) {
      if (state.fails) throw new StoreError('locked', 'down');
      let fresh = 0;
      for (const entry of more) {
        if (entries.has(entry.id)) continue;
        entries.set(entry.id, entry);
        fresh++;
      }
      return fresh;
    },
  } as Ledger;
  return { state, ledger };
}

const outcomeOf = (entry: LedgerEntry | undefined) => (entry?.detail as { outcome: string } | undefined)?.outcome;

test('names of journals are read as they were made', () => {
  for (const born of ['', '123']) {
    const journal = journalName({ owner: 'gate-house-1', pid: 42, born }, 'ab');
    for (const done of [true, false])
      assert.deepEqual(parseJournalFile(`${journal}-7${done ? '.done' : '.jsonl'}`), {
        journal,
        owner: 'gate-house-1',
        pid: 42,
        born,
        segment: 7,
        done,
      });
  }
  assert.equal(parseJournalFile('gatehouse-42-abc-7.jsonl')?.born, '', 'of a version before');
  assert.equal(parseJournalFile('else.jsonl'), undefined);
});

test('an entry is on the disk before anything leaves, and where nothing leaves, soon', (t) => {
  const folder = folderFor(t);
  const clock = new ManualClock();
  let owed: (() => void)[] = [];
  const journal = new Journal({
    folder,
    name: journalName({ owner: 'o', pid: 1, born: '' }, 'r'),
    clock,
    before: (todo) => owed.push(todo),
    failed: (reason) => assert.fail(reason),
    lost: () => assert.fail('lost'),
  });
  const written = () => {
    const files = readdirSync(join(folder, JOURNAL_FOLDER));
    return files.map((file) => readFileSync(join(folder, JOURNAL_FOLDER, file), 'utf8')).join('');
  };
  journal.add('a\n');
  journal.add('b\n');
  assert.equal(owed.length, 1, 'written once for all of a turn');
  owed[0]?.();
  assert.equal(written(), 'a\nb\n');
  owed = [];
  journal.add('c\n');
  assert.equal(owed.length, 1);
  assert.equal(written(), 'a\nb\n');
  clock.advance(5);
  assert.equal(written(), 'a\nb\nc\n');
  owed[0]?.();
  assert.equal(written(), 'a\nb\nc\n');
});

test('whatever dies when: each request counts once, with what it used, or with what was reserved where nobody can say', async (t) => {
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('begin' as const), write: fc.boolean() }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(9), write: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), which: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('look' as const), fails: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restartReader' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      const folder = mkdtempSync(join(tmpdir(), 'gatehouse-journal-'));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      const clock = new ManualClock();
      const { state, ledger } = memoryLedger();
      const living = new Set<number>();
      let counted = new Map<string, number>();
      const reader = () =>
        new JournalReader({
          folder,
          clock,
          ledger: () => ledger,
          alive: (pid) => living.has(pid),
          took: (entries) => {
            for (const { id, cost } of entries) counted.set(id, (counted.get(id) ?? 0) + cost);
          },
          inDoubt: (entries) => assert.ok(entries.every((entry) => outcomeOf(entry) === IN_DOUBT)),
          trouble: () => {},
          well: () => {},
        });
      let now = reader();
      let pid = 0;
      let id = 0;
      let owed: (() => void) | undefined;
      const pay = () => {
        owed?.();
        owed = undefined;
      };
      const start = () => {
        living.add(++pid);
        return new Journal({
          folder,
          name: journalName({ owner: 'o', pid, born: '7' }, 'r'),
          clock: new ManualClock(),
          segmentBytes: 1000,
          before: (todo) => {
            owed = todo;
          },
          failed: (reason) => assert.equal(reason, ''),
          lost: () => assert.fail('lost'),
        });
      };
      let journal = start();
      let under: string[] = [];
      /** What clients know: id → cost that must stand in the ledger. */
      const known = new Map<string, number>();
      const unsure = new Map<string, number[]>();
      for (const one of actions) {
        if (one.do === 'begin') {
          const name = `r${++id}`;
          under.push(name);
          journal.add(begun(name, 1000));
          unsure.set(name, [-1, 1000]);
          if (one.write) pay();
        } else if (one.do === 'end' && under.length > 0) {
          const [name] = under.splice(one.which % under.length, 1) as [string];
          journal.add(ended(name, id));
          unsure.set(name, [-1, 1000, id]);
          const cost = id;
          if (one.write) {
            pay();
            known.set(name, cost);
          }
        } else if (one.do === 'drop' && under.length > 0) {
          const [name] = under.splice(one.which % under.length, 1) as [string];
          journal.add(droppedLine(name));
        } else if (one.do === 'look') {
          state.fails = one.fails;
          clock.advance(1);
          const [before, begunAt] = [now.writtenAt, clock.now()];
          const all = await now.look();
          assert.equal(now.writtenAt, all ? begunAt : before);
          if (all) for (const name of known.keys()) assert.ok(state.entries.has(name));
        } else if (one.do === 'restartReader') {
          now = reader();
          counted = new Map();
        } else if (one.do === 'kill') {
          // What was not written is gone.
          owed = undefined;
          living.delete(pid);
          under = [];
          journal = start();
        } else if (one.do === 'stop') {
          for (const name of under) journal.add(ended(name, 5));
          for (const name of under) known.set(name, 5);
          under = [];
          journal.close();
          owed = undefined;
          living.delete(pid);
          journal = start();
        }
      }
      pay();
      living.clear();
      state.fails = false;
      assert.equal(await now.look(), true);
      for (const [name, cost] of known) assert.equal(state.entries.get(name)?.cost, cost, name);
      for (const name of under) assert.equal(outcomeOf(state.entries.get(name)), IN_DOUBT);
      for (const [name, { cost }] of state.entries)
        assert.ok(unsure.get(name)?.includes(cost) || known.get(name) === cost, `${name} ${cost}`);
      for (const [name, cost] of counted) assert.ok(cost <= 1000 && cost === state.entries.get(name)?.cost, name);
      assert.deepEqual(readdirSync(folder).length === 0 ? [] : readdirSync(join(folder, JOURNAL_FOLDER)), []);
    }),
    { numRuns: 60 },
  );
});
