/** What the tests of every driver share: a store that is fresh for each test. */
import assert from 'node:assert/strict';
import { after, beforeEach } from 'node:test';
import type { StoreError } from './error.ts';
import type { Put, Store, Write } from './store.ts';

/** A kind of store under test. */
export interface Subject {
  /** Opens the same store again, as another node would. */
  open(): Promise<Store>;
  /** Throws away what is stored; the next `open` finds nothing. */
  wipe(): Promise<void>;
  /** Moves the clock that all these stores have. */
  advance(ms: number): void;
  /** Lets some time pass, in which a node may notice what others wrote. */
  settle(): Promise<void>;
}

/** A put of a document of the kind that the tests use. */
export const put = (id: string, value: unknown, more: Partial<Put> = {}): Put => ({
  op: 'put',
  kind: 'key',
  id,
  value,
  ...more,
});

/** Collects an asynchronous iterable of pages. */
export async function collect<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pages) all.push(...page);
  return all;
}

/** For `assert.rejects`: a `StoreError` with this fault. */
export const isFault = (fault: string) => (error: unknown) => (error as StoreError).fault === fault;

/** The stores of one suite; to be made inside `describe`. */
export class Stage {
  /** Fresh and empty at the start of each test. */
  store!: Store;
  readonly subject: Subject;
  readonly #opened: Store[] = [];

  constructor(subject: Subject) {
    this.subject = subject;
    beforeEach(async () => {
      await this.#closeAll();
      await subject.wipe();
      this.store = await this.open();
    });
    after(() => this.#closeAll());
  }

  /** Another node; closed with the test. */
  async open(): Promise<Store> {
    const made = await this.subject.open();
    this.#opened.push(made);
    return made;
  }

  /** Writes what must not meet a conflict. */
  async write(...writes: Write[]): Promise<number> {
    const result = await this.store.write(writes);
    assert.ok(result.ok, JSON.stringify(result));
    return result.version;
  }

  async #closeAll(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((each) => each.close()));
  }
}

/** Takes the field `secret` out of what the history shows. */
export const shown = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null ? { ...value, secret: undefined } : value;
