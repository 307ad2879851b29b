import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { needs } from '../../../test/peers.ts';
import { type Postgres, startPostgres } from '../../../test/postgres.ts';
import { systemClock } from '../../kernel/clock.ts';
import { Events } from '../../kernel/event.ts';
import { storeConfig } from '../config.ts';
import { crash } from '../crash.fixture.ts';
import type { StoreError } from '../error.ts';
import { openStore } from '../open.ts';
import { put } from '../stage.fixture.ts';
import type { Store } from '../store.ts';
import { pause } from '../turn.ts';

/** How long a session that does not let go is borne; whatever else is asked in the meantime is answered sooner on any machine. */
const HANG_MS = 8000;
const NODE = fileURLToPath(new URL('./nodes.test.node.js', import.meta.url));

describe('postgres, several nodes', needs({ commands: ['pg_lsclusters'] }), () => {
  let server: Postgres;
  const opened: Store[] = [];
  const config = (more: object = {}) =>
    storeConfig.parse({ driver: 'postgres', url: server.url, timeout: '60s', ...more });
  const open = async (more: object = {}, events = new Events()) => {
    const store = await openStore(config(more), '', { clock: systemClock, events });
    opened.push(store);
    return store;
  };
  /** Resolves when a watcher of `store` has heard of `revision`. */
  const heard = (store: Store, revision: () => number) =>
    new Promise<void>((resolve) => {
      const leave = store.watch((now) => {
        if (now < revision()) return;
        leave();
        resolve();
      });
    });
  const refused = (work: Promise<unknown>, fault: string, text: RegExp) =>
    assert.rejects(work, (error: StoreError) => {
      assert.equal(error.fault, fault, error.message);
      assert.match(error.message, text);
      assert.ok(!`${error.message} ${error.stack} ${JSON.stringify(error)}`.includes('p4ss'), 'no password');
      return true;
    });

  before(async () => {
    server = await startPostgres();
  });
  after(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await server.close();
  });

  test('a process sees what another one has written, and the other way round', async () => {
    const store = await open({ schema: 'two' });
    const child = fork(NODE, [JSON.stringify(config({ schema: 'two' }))]);
    await once(child, 'message');
    const echo = heard(store, () => 2);
    await store.write([put('ping', 1)]);
    await echo;
    const { changes } = await store.changesSince(1);
    assert.deepEqual(
      changes.map(({ id, document }) => [id, document?.value]),
      [['pong', 1]],
    );
    child.kill();
    await once(child, 'exit');
  });

  test('nodes that start at once make the tables once', async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, () => open({ schema: 'together' })));
    const results = await Promise.all(stores.map((store, i) => store.write([put(`k${i}`, i)])));
    assert.deepEqual(results.map((result) => result.ok && result.version).sort(), [1, 2, 3, 4]);
  });

  test('whoever follows the feed while many write misses nothing', async () => {
    const stores = await Promise.all(Array.from({ length: 3 }, () => open({ schema: 'feed', connections: 3 })));
    const seen = new Set<string>();
    let at = 0;
    let writing = true;
    const reading = (async () => {
      for (let last = false; !last; ) {
        last = !writing;
        const { changes, revision } = await (stores[0] as Store).changesSince(at, 7);
        for (const { id } of changes) seen.add(id);
        at = revision;
      }
    })();
    await Promise.all(
      Array.from({ length: 90 }, (_, i) => (stores[i % 3] as Store).write([put(`k${i}`, i), put(`l${i}`, i)])),
    );
    writing = false;
    await reading;
    for (let more = true; more; ) {
      const found = await (stores[0] as Store).changesSince(at);
      for (const { id } of found.changes) seen.add(id);
      at = found.revision;
      more = found.more;
    }
    assert.deepEqual([seen.size, at], [180, 90]);
  });

  test('the server crashes and comes back: calls fail clearly, then what was missed is caught up', async () => {
    const events = new Events();
    const notices: string[] = [];
    events.on('notice', ({ level, message }) => notices.push(`${level} ${message}`));
    const store = await open({ schema: 'crash' }, events);
    const other = await open({ schema: 'crash' });
    await store.write([put('before', 1)]);
    let expected = Number.POSITIVE_INFINITY;
    const caughtUp = heard(store, () => expected);
    await server.stop('SIGQUIT');
    await refused(
      store.write([put('during', 1)]),
      'unreachable',
      /Store postgres:\/\/127\.0\.0\.1:\d+\/postgres schema crash: writing failed/,
    );
    await refused(store.get('key', 'before'), 'unreachable', /Check server, network and store\.url/);
    assert.match(notices.join('\n'), /^warn Store .* failed/);
    await server.start();
    for (let written = false; !written; ) {
      const result = await other.write([put('after', 1)]).catch(() => undefined);
      written = result?.ok === true;
      if (result?.ok) expected = result.version;
      // What fails at once would keep the new connection from being made.
      else await pause(systemClock, 20);
    }
    // It may have been heard of before it was known here; the next write tells again.
    await other.write([put('nudge', 1)]);
    await caughtUp;
    assert.deepEqual(
      [
        (await store.get('key', 'before'))?.value,
        await store.get('key', 'during'),
        (await store.get('key', 'after'))?.value,
      ],
      [1, undefined, 1],
    );
    assert.match(notices.join('\n'), /info Store .* is reached again/);
  });

  test('the listening connection is cut: changes are heard all the same', async () => {
    const store = await open({ schema: 'cut' });
    const other = await open({ schema: 'cut' });
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
    let expected = Number.POSITIVE_INFINITY;
    const told = heard(store, () => expected);
    const result = await other.write([put('a', 1)]);
    assert.ok(result.ok);
    expected = Math.min(result.version, expected);
    await told;
    const listening = () => server.sql('SELECT count(*) FROM pg_stat_activity WHERE query = \'LISTEN "cut_changes"\'');
    while (listening() !== '2') await pause(systemClock, 20);
  });

  test('another session does not let go: a write fails in time, and is not made after all', async () => {
    await (await open({ schema: 'hang' })).close();
    const store = await open({ schema: 'hang', timeout: `${HANG_MS}ms` });
    const other = postgres(server.url, { max: 1 });
    const held = other.begin(async (session) => {
      await session`SELECT value FROM hang.meta FOR UPDATE`;
      await refused(
        store.write([put('a', 1)]),
        'unreachable',
        /no answer within 8.*s.*Whether it was written is not known/,
      );
      assert.equal(await store.get('key', 'a'), undefined, 'reading goes on');
    });
    try {
      await held;
    } finally {
      await other.end({ timeout: 1 });
    }
    assert.equal((await store.write([put('b', 1)])).ok, true);
    assert.equal(await store.get('key', 'a'), undefined);
  });

  test('a server that takes no writes: reading goes on, writes fail clearly', async () => {
    const before = await open({ schema: 'standby' });
    await before.write([put('a', 1)]);
    await before.close();
    server.sql('ALTER DATABASE postgres SET default_transaction_read_only = on');
    const store = await open({ schema: 'standby' });
    assert.equal((await store.get('key', 'a'))?.value, 1);
    await refused(store.write([put('b', 1)]), 'readonly', /name the primary/);
    server.sql('SET default_transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only');
  });

  test('what is not right with the address is said without its password', async () => {
    const url = new URL(server.url);
    url.password = 'wrong-p4ss';
    await refused(open({ url: url.href }), 'denied', /Check user and password/);
    await refused(open({ url: server.url.replace(/postgres$/, 'nowhere') }), 'denied', /Make the database/);
    await refused(open({ url: 'postgres://u:p4ss@127.0.0.1:1/x' }), 'unreachable', /ECONNREFUSED/);
    await refused(open({ url: 'postgres://u:p4ss@127.0.0.1:99999/x' }), 'denied', /store\.url/);
  });

  test('tables of a newer Gatehouse, or of another program, are refused', async () => {
    await (await open({ schema: 'newer' })).close();
    server.sql("UPDATE newer.meta SET value = 99 WHERE name = 'tables'");
    await refused(open({ schema: 'newer' }), 'newer', /newer Gatehouse \(tables 99;/);
    server.sql('CREATE SCHEMA other; CREATE TABLE other.documents (a int)');
    await refused(open({ schema: 'other' }), 'corrupt', /another program/);
  });

  test('a process killed while it writes leaves every write it was promised, and none by half', async () => {
    // A database of its own, whose sessions are those of the killed one alone.
    server.sql('CREATE DATABASE killed');
    const sessions = () => server.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'killed'");
    await crash(config({ url: server.url.replace(/postgres$/, 'killed') }), 3, async () => {
      while (sessions() !== '0') await pause(systemClock, 20);
    });
  });
});
