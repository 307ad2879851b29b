/**
 * An API key that ends takes its tokens with it: this reads the changes of the store, and ends the tokens of keys that were
 * revoked, deleted, or are to expire before their tokens would. How far it has read is kept, so that a key that was revoked
 * while no gateway ran is not overlooked.
 */
import type { Change, Write } from '../../store/store.ts';
import { forgottenAt, TOKEN_LIFETIME_MAX_MS } from './config.ts';
import { SIGNING_KEY_KIND } from './keys.ts';
import type { TokenParts } from './parts.ts';

/** Kind of the document that holds how far it has read. */
const KIND = 'tokenWatch';
const ID = 'keys';
/** It is noted how far has been read at least after so many revisions. */
const NOTE_EVERY = 5000;
/** After a failure it is tried again, in milliseconds. */
const RETRY_MS = 1000;

/** Tokens to come: what covers them covers all. */
const NO_NAMES = { id: '', principal: '', client: '', family: '', issuedAt: Number.POSITIVE_INFINITY };

type WatchParts = Pick<
  TokenParts,
  'clock' | 'store' | 'revocation' | 'endedUpTo' | 'isRevoked' | 'notice' | 'keyChange'
>;

/** See the file's head. */
export class KeyWatch {
  readonly #parts: WatchParts;
  readonly #rotated: () => void;
  #revision = 0;
  #noted = 0;
  #running = false;
  #again = false;
  #closed = false;
  #stop: (() => void) | undefined = undefined;

  /** `rotated`: the keys that sign have changed. */
  constructor(parts: WatchParts, rotated: () => void) {
    this.#parts = parts;
    this.#rotated = rotated;
  }

  async start(): Promise<void> {
    const { store } = this.#parts;
    const known = await store.get<{ revision: number }>(KIND, ID);
    const newest = await store.revision();
    this.#revision = Math.min(known?.value.revision ?? newest, newest);
    this.#noted = known?.value.revision ?? -1;
    this.#stop = store.watch(() => void this.#run());
    await this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#stop?.();
  }

  async #run(): Promise<void> {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#again && !this.#closed) {
        this.#again = false;
        await this.#read();
      }
    } catch (error) {
      if (this.#closed) return;
      this.#parts.notice('warn', `changes of keys cannot be read for their tokens: ${(error as Error).message}`);
      this.#parts.clock.after(RETRY_MS, () => void this.#run());
    } finally {
      this.#running = false;
    }
  }

  async #read(): Promise<void> {
    const { store } = this.#parts;
    for (let more = true; more && !this.#closed; ) {
      const found = await store.changesSince(this.#revision);
      const writes: Write[] = [];
      for (const change of found.changes) writes.push(...(await this.#ending(change)));
      // Where a key has changed since, what it is now is told by the next reading.
      const author = { who: 'gatehouse', what: 'tokens.endWithKey' };
      if (writes.length > 0 && !(await store.write(writes, author)).ok) continue;
      if (found.changes.some(({ kind }) => kind === SIGNING_KEY_KIND)) this.#rotated();
      this.#revision = found.revision;
      more = found.more;
      if (writes.length > 0 || this.#noted < 0 || this.#revision - this.#noted > NOTE_EVERY) await this.#note();
    }
  }

  /** What is to be written for a change: only as long as the key is what it was when that was decided. */
  async #ending(change: Change): Promise<readonly Write[]> {
    const { clock, revocation } = this.#parts;
    const key = this.#parts.keyChange(change);
    if (key === undefined) return [];
    const { id: value, ended, until } = key;
    const { kind, id, document } = change;
    const now = clock.wall();
    // The settings may have changed since a token was given: any of them may hold as long as one ever may.
    const forgetAt = forgottenAt(now);
    // One that stops to exist at a time has no version from then on.
    const lasts = document?.expiresAt === undefined;
    const check: Write[] = lasts ? [{ op: 'check', kind, id, expect: document?.version ?? 0 }] : [];
    if (ended) {
      // Whoever revokes by the admin API has written it already.
      const known = await this.#parts.isRevoked({ ...NO_NAMES, session: value });
      return known ? [] : [...check, revocation({ kind: 'session', value, forgetAt })];
    }
    if (until === undefined || until >= now + TOKEN_LIFETIME_MAX_MS) return [];
    // Later tokens of it hold no longer than itself. One of the second of the change may be the first of a key that was just
    // made. Nor must what has ended live again.
    const changedAt = document?.updatedAt ?? now;
    const issuedUpTo = Math.max(changedAt - 1000, await this.#parts.endedUpTo(value, ''));
    return [...check, revocation({ kind: 'session', value, issuedUpTo, forgetAt })];
  }

  async #note(): Promise<void> {
    this.#noted = this.#revision;
    await this.#parts.store.write([{ op: 'put', kind: KIND, id: ID, value: { revision: this.#revision } }]);
  }
}
