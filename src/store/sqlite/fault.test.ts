import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { systemClock } from '../../kernel/clock.ts';
import { Events } from '../../kernel/event.ts';
import type { StoreError } from '../error.ts';
import { put } from '../stage.fixture.ts';
import type { Store } from '../store.ts';
import { openDatabase } from './database.ts';
import { openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-fault-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
const open = (path: string, lockTimeout = 60_000, events = new Events()) =>
  openSqlite({ driver: 'sqlite', path, lockTimeout }, { clock: systemClock, events });

/** Rejects with this fault, in a sentence that names the file and says what to do. */
async function refused(work: Promise<unknown>, fault: string, path: string, advice: RegExp): Promise<void> {
  await assert.rejects(work, (error: StoreError) => {
    assert.equal(error.fault, fault, error.message);
    assert.ok(error.message.includes(path), error.message);
    assert.match(error.message, advice);
    return true;
  });
}

/** A file with some documents, closed. */
async function filled(name: string): Promise<string> {
  const path = at(name);
  const store = await open(path);
  for (let n = 0; n < 3; n++)
    await store.write(Array.from({ length: 1000 }, (_, i) => put(`k${n}-${i}`, { text: 'x'.repeat(100) })));
  await store.close();
  return path;
}

const damages: [name: string, damage: (path: string) => void][] = [
  ['text', (path) => writeFileSync(path, 'this is no database\n'.repeat(1000))],
  ['cut short', (path) => truncateSync(path, statSync(path).size / 2)],
  [
    'overwritten in the middle',
    (path) => {
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0xaa, 20 * 4096, 25 * 4096));
    },
  ],
  ['overwritten at the start', (path) => writeFileSync(path, readFileSync(path).fill(0xaa, 0, 100))],
];
for (const [name, damage] of damages) {
  test(`a damaged file (${name}) is refused and stays as it is`, async () => {
    const path = await filled(`damaged ${name}`);
    damage(path);
    const before = readFileSync(path);
    await refused(open(path), 'corrupt', path, /left as it is: move it away|left as it is\. Move it away/);
    assert.ok(readFileSync(path).equals(before));
  });
}

test('a database of another program, or of a newer Gatehouse, is refused and stays as it is', async () => {
  const other = at('other.db');
  const database = await openDatabase(other);
  database.exec('CREATE TABLE theirs (a)');
  database.close();
  await refused(open(other), 'corrupt', other, /another program.*name another path/);
  const path = await filled('newer.db');
  const raw = await openDatabase(path);
  raw.exec('PRAGMA user_version = 99');
  await refused(open(path), 'newer', path, /newer Gatehouse \(tables 99; .*Run that version/);
  assert.equal(raw.prepare('SELECT count(*) AS n FROM documents').all()[0]?.n, 3000);
  raw.close();
});

test('a path that cannot be opened says which and why', async () => {
  mkdirSync(at('folder'));
  await refused(open(at('folder')), 'denied', at('folder'), /belongs to the user/);
  writeFileSync(at('file'), 'x');
  await refused(open(at('file/under')), 'denied', at('file/under'), /it cannot be made: |cannot be opened/);
});

test('a file that others could read is closed to them, with a warning', async () => {
  const path = await filled('open to all');
  chmodSync(path, 0o644);
  const events = new Events();
  const heard: string[] = [];
  events.on('notice', ({ message }) => heard.push(message));
  await (await open(path, 60_000, events)).close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.match(heard.join(), /could be read by other users/);
});

test('FAULTS 42, locked: reading goes on, a write waits, then fails and leaves nothing', async () => {
  const path = await filled('locked');
  const store = await open(path, 100);
  const other = await openDatabase(path);
  other.exec('BEGIN IMMEDIATE');
  await refused(store.write([put('a', 1), put('b', 1)]), 'locked', path, /Another process holds it/);
  assert.ok(await store.get('key', 'k0-0'));
  other.exec('ROLLBACK');
  assert.equal(await store.get('key', 'a'), undefined);
  assert.equal((await store.write([put('a', 1)])).ok, true);
  other.close();
  await store.close();
});

test('FAULTS 42, locked: a write that waits goes through when the lock is let go', async () => {
  const path = await filled('let go');
  const store = await open(path);
  const other = await openDatabase(path);
  other.exec('BEGIN IMMEDIATE');
  const writing = store.write([put('a', 1)]);
  systemClock.after(60, () => other.exec('ROLLBACK'));
  assert.equal((await writing).ok, true);
  other.close();
  await store.close();
});

/** Fills what is left of the pages that the database may have. */
async function full(store: Store): Promise<StoreError> {
  for (let n = 0; ; n++) {
    try {
      await store.write(Array.from({ length: 5 }, (_, i) => put(`f${n}-${i}`, 'x'.repeat(2000))));
    } catch (error) {
      return error as StoreError;
    }
  }
}

/** Mounts where this user may; unmounted after the test. The binding may keep files open until its garbage is collected. */
function mounted(t: TestContext, place: string, ...args: string[]): boolean {
  mkdirSync(place);
  if (spawnSync('mount', [...args, place]).status !== 0) {
    t.skip('mounting a file system is not allowed here');
    return false;
  }
  t.after(() => spawnSync('umount', ['-l', place]));
  return true;
}

test('FAULTS 42, full: a write fails clearly, nothing of it is kept, and room makes it work again', async (t) => {
  const place = at('small');
  if (!mounted(t, place, '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs')) return;
  const path = join(place, 'gatehouse.db');
  const store = await open(path);
  const ballast = join(place, 'ballast');
  writeFileSync(ballast, Buffer.alloc(300_000));
  const error = await full(store);
  assert.equal(error.fault, 'full', error.message);
  assert.match(error.message, /nothing of the write was kept\. Make room/);
  const documents = (await store.list('key', { limit: 10_000 })).documents.length;
  assert.ok(documents > 0 && documents % 5 === 0, `${documents}: whole transactions only`);
  rmSync(ballast);
  assert.equal((await store.write([put('after', 'x'.repeat(2000))])).ok, true);
  await store.close();
  const again = await open(path);
  assert.equal((await again.list('key', { limit: 10_000 })).documents.length, documents + 1);
  await again.close();
});

test('FAULTS 42, read-only: reading goes on, writes fail clearly', async (t) => {
  const path = await filled('writable.db');
  const place = at('readonly');
  const writer = await open(path);
  await writer.write([put('a', 1)]);
  if (!mounted(t, place, '--bind', folder)) return writer.close();
  assert.equal(spawnSync('mount', ['-o', 'remount,bind,ro', place]).status, 0);
  const seen = join(place, 'writable.db');
  const store = await open(seen);
  assert.equal((await store.get('key', 'a'))?.value, 1);
  await refused(store.write([put('b', 1)]), 'readonly', seen, /takes no writes: check the owner/);
  await refused(open(join(place, 'new.db')), 'readonly', 'new.db', /Name a path that can be written/);
  await store.close();
  await writer.close();
});

test('several processes that start at once make the tables once', async () => {
  const path = at('together');
  const stores = await Promise.all(Array.from({ length: 5 }, () => open(path)));
  const versions = await Promise.all(stores.map((store, i) => store.write([put(`k${i}`, i)])));
  assert.deepEqual(versions.map((result) => result.ok && result.version).sort(), [1, 2, 3, 4, 5]);
  await Promise.all(stores.map((store) => store.close()));
});

test('a copy is whole, and never overwrites', async () => {
  const path = await filled('original');
  const store = await open(path);
  const copy = at('copy.db');
  await store.copyTo(copy);
  await refused(store.copyTo(copy), 'denied', copy, /EEXIST.*Name a new file/);
  await store.close();
  copyFileSync(copy, at('restored.db'));
  const restored = await open(at('restored.db'));
  assert.equal((await restored.list('key', { limit: 10_000 })).documents.length, 3000);
  assert.equal(statSync(copy).mode & 0o077, 0, 'it holds the same secrets');
  await restored.close();
});
