import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { Directory, type DirectoryDocument, type DirectorySource } from './directory.ts';
import { DirectoryLog } from './directorylog.ts';
import { followDirectory } from './follower.ts';
import { Services } from './services.ts';

/** A store in memory that can be told to fail. */
class FakeStore implements DirectorySource {
  readonly documents = new Map<string, unknown>();
  readonly #changes: { kind: string; id: string; document: DirectoryDocument | undefined }[] = [];
  #watchers = new Set<() => void>();
  broken = false;
  reset = false;

  write(id: string, value: unknown): void {
    if (value === undefined) this.documents.delete(id);
    else this.documents.set(id, value);
    this.#changes.push({
      kind: 'key',
      id,
      document: value === undefined ? undefined : { kind: 'key', id, value, updatedAt: 7 },
    });
    for (const changed of this.#watchers) changed();
  }

  async *scan(kind: string) {
    this.#check();
    for (const [id, value] of [...this.documents]) yield kind === 'key' ? [{ kind, id, value }] : [];
  }

  async revision() {
    this.#check();
    return this.#changes.length;
  }

  async changesSince(revision: number) {
    this.#check();
    const { reset } = this;
    this.reset = false;
    const changes = reset ? [] : this.#changes.slice(revision, revision + 2);
    return {
      changes,
      revision: revision + changes.length,
      more: revision + changes.length < this.#changes.length,
      reset,
    };
  }

  watch(changed: () => void) {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  #check(): void {
    if (this.broken) throw new Error('disk on fire');
  }
}

/** A worker that copies what it is told, at once or when `read` is called. */
function makeWorker(services: Services) {
  const copy = new Map<string, unknown>();
  let rest = new Set<string>();
  const failures: string[] = [];
  const handler = followDirectory(
    {
      begin: () => {
        rest = new Set(copy.keys());
      },
      put: (id, packed) => {
        if (packed === 'poison') throw new Error('will not take it');
        copy.set(id, packed);
        rest.delete(id);
      },
      remove: (id) => copy.delete(id),
      complete: () => {
        for (const id of rest) copy.delete(id);
      },
    },
    (error) => failures.push(error.message),
  );
  const load = () => {
    for (const { payload, load: mark } of services.load('directory/key')) {
      handler.load(payload, mark === 'first' || mark === 'only', mark === 'last' || mark === 'only');
    }
  };
  return {
    copy,
    failures,
    handler,
    load,
    push: (_: string, payload: unknown) => handler.change(payload),
    reload: load,
    stuck: false,
    async confirm(): Promise<void> {
      if (this.stuck) await new Promise(() => {});
    },
  };
}

const settle = async () => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

async function house(more: { pack?: (id: string, value: unknown) => unknown } = {}) {
  const clock = new ManualClock();
  const source = new FakeStore();
  const services = new Services();
  const notices: string[] = [];
  const workers: ReturnType<typeof makeWorker>[] = [];
  services.attach(() => workers, clock);
  const pack = more.pack ?? ((_, value) => value);
  const kinds = [{ kind: 'key', pack }];
  const synced: number[] = [];
  const told: string[] = [];
  const directory = new Directory({
    source,
    kinds,
    services,
    clock,
    notice: ({ message }) => notices.push(message),
    synced: () => synced.push(clock.now()),
    health: {
      answered: () => told.push('answered'),
      failed: () => told.push('failed'),
      changed: (at: number) => told.push(`changed ${at}`),
    },
  });
  const join = () => {
    const worker = makeWorker(services);
    worker.load();
    workers.push(worker);
    return worker;
  };
  return { clock, source, services, notices, workers, directory, join, synced, told };
}

describe('the directory', () => {
  test('is whole for a worker that starts, and every worker hears of each change', async () => {
    const { source, directory, join } = await house();
    for (let i = 0; i < 20; i++) source.write(`k${i}`, { i });
    await directory.start();
    const early = join();
    assert.deepEqual(early.copy, source.documents);
    source.write('k3', { i: 'new' });
    source.write('k4', undefined);
    source.write('other', { i: 99 });
    await settle();
    const late = join();
    assert.deepEqual(early.copy, source.documents);
    assert.deepEqual(late.copy, source.documents);
    directory.close();
  });

  test('stays when the store is gone, says so once, and catches up when it is back', async () => {
    const { source, directory, join, clock, notices, told } = await house();
    source.write('a', 1);
    await directory.start();
    const worker = join();
    await settle();
    source.broken = true;
    source.write('a', 2);
    for (let i = 0; i < 5; i++) {
      await settle();
      clock.advance(10_000);
    }
    assert.deepEqual([...worker.copy], [['a', 1]]);
    assert.deepEqual(join().copy, worker.copy, 'a new worker gets what is known');
    assert.equal(notices.length, 1, notices.join('\n'));
    assert.match(notices[0] as string, /does not answer.*what is known holds on: disk on fire/);
    await settle();
    source.broken = false;
    clock.advance(10_000);
    await settle();
    assert.deepEqual([...worker.copy], [['a', 2]]);
    assert.match(notices[1] as string, /up to date/);
    const story = told.filter((one, i) => one !== told[i - 1]);
    assert.deepEqual(story, ['answered', 'failed', 'changed 7', 'answered']);
    directory.close();
  });

  test('is as the store has it only when every worker has taken what it was told', async () => {
    const { source, directory, join, clock, synced } = await house();
    await directory.start();
    const [quick, slow] = [join(), join()];
    await settle();
    const before = synced.length;
    slow.stuck = true;
    source.write('a', 1);
    await settle();
    assert.deepEqual([...quick.copy], [['a', 1]]);
    clock.advance(5000);
    await settle();
    assert.equal(synced.length, before);
    slow.stuck = false;
    clock.advance(10_000);
    await settle();
    assert.equal(synced.at(-1), clock.now(), 'the next look asks again');
    directory.close();
  });

  test('is told anew where the store has forgotten what was deleted', async () => {
    const { source, directory, join } = await house();
    source.write('a', 1);
    source.write('b', 1);
    await directory.start();
    const worker = join();
    await settle();
    source.documents.delete('a');
    source.reset = true;
    source.write('c', 1);
    await settle();
    assert.deepEqual(
      [...worker.copy],
      [
        ['b', 1],
        ['c', 1],
      ],
    );
    directory.close();
  });

  test('counts a document that is no good as absent, and tells which', async () => {
    const pack = (_: string, value: unknown) => {
      if (value === 'bad') throw new Error('no hash');
      return value;
    };
    const { source, directory, join, notices } = await house({ pack });
    source.write('a', 1);
    source.write('b', 'poison');
    await directory.start();
    const worker = join();
    source.write('a', 'bad');
    await settle();
    assert.deepEqual([...worker.copy], []);
    assert.match(notices[0] as string, /the key a in the store is no good and counts as absent: no hash/);
    assert.deepEqual(worker.failures, ['will not take it']);
    directory.close();
  });

  test('cannot be started without a store', async () => {
    const { source, directory } = await house();
    source.broken = true;
    await assert.rejects(directory.start(), /disk on fire/);
  });

  test('is read anew when too much of it is out of date, and loses nothing', async () => {
    const { source, directory, join } = await house();
    await directory.start();
    for (let i = 0; i < 25_000; i++) source.write(`k${i % 7}`, i);
    for (let i = 0; i < 2000; i++) await settle();
    const worker = join();
    assert.deepEqual(worker.copy, source.documents);
    const lines = [...new Set([...[...source.documents].keys()])].length;
    assert.equal(directory.size('key'), lines);
    directory.close();
  });
});

test('whatever changes while a worker is being told everything, it ends up with what holds', () => {
  const id = fc.integer({ min: 0, max: 5 }).map((n) => `k${n}`);
  // A long value closes a page, so that there are several.
  const value = fc.option(fc.oneof(fc.integer(), fc.constant('x'.repeat(150_000))), { nil: undefined });
  const change = fc.record({ id, value, after: fc.nat(6) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 12 }), (first, second) => {
      const log = new DirectoryLog();
      const truth = new Map<string, unknown>();
      const note = (name: string, its: unknown) => {
        if (its === undefined) truth.delete(name);
        else truth.set(name, its);
        return log.append(name, its);
      };
      for (const one of first) note(one.id, one.value);
      const services = new Services();
      services.publish('directory/key', () => log.pages());
      const worker = makeWorker(services);
      worker.copy.set('k0', 'from before');
      let sent = 0;
      const tell = (upTo: number) => {
        for (const one of second) if (one.after === upTo) worker.push('', note(one.id, one.value));
      };
      tell(0);
      for (const { payload, load } of services.load('directory/key')) {
        worker.handler.load(payload, load === 'first' || load === 'only', load === 'last' || load === 'only');
        tell(++sent);
      }
      for (let left = sent + 1; left <= 6; left++) tell(left);
      assert.deepEqual([...worker.copy].sort(), [...truth].sort());
    }),
    { numRuns: 200 },
  );
});
