/**
 * The keys that a worker knows, packed: a digest, two times, a version and three numbers for each key in typed arrays, ids
 * and principals as bytes in one heap of text, and what many keys share (tenant, plan, scopes, …) once for all of them.
 */
import type { Identity } from '../../kernel/identity.ts';
import type { KeyFacts } from './document.ts';
import { DIGEST_BYTES } from './pepper.ts';
import { type Profile, Profiles } from './profile.ts';
import { RowIndex } from './rowindex.ts';
import { TextHeap } from './textheap.ts';

const FIRST_ROWS = 64;

/** Keys by digest and by id. */
export class KeyTable {
  /** Rises whenever the row is changed, filled or emptied: who remembers a row remembers its version. */
  versions = new Uint32Array(FIRST_ROWS);
  /** Rises whenever a key is changed or taken out. */
  epoch = 0;
  /** Ids that stand for somebody else, such as a key of the configuration: a key of the table that bears one lets nobody in. */
  reserved: ReadonlySet<string> = new Set();
  #digests = new Uint8Array(FIRST_ROWS * DIGEST_BYTES);
  #notBefore = new Float64Array(FIRST_ROWS);
  #expiresAt = new Float64Array(FIRST_ROWS);
  #profile = new Uint32Array(FIRST_ROWS);
  /** Where id and principal stand. */
  #text = new Uint32Array(FIRST_ROWS);
  #flags = new Uint8Array(FIRST_ROWS);
  #rows = 0;
  #round = 0;
  #live = 0;
  readonly #free: number[] = [];
  readonly #profiles = new Profiles();
  readonly #texts = new TextHeap((moved) => this.#moved(moved));
  readonly #byDigest = new RowIndex((row) => wordAt(this.#digests, row * DIGEST_BYTES));
  readonly #byId = new RowIndex((row) => this.#texts.hash(this.#text[row] as number));

  /** Keys in the table. */
  get size(): number {
    return this.#live;
  }

  /** Bytes of the typed arrays; profiles come on top. */
  get bytes(): number {
    const columns = [this.versions, this.#digests, this.#notBefore, this.#expiresAt, this.#profile, this.#text];
    const sum = columns.reduce((bytes, column) => bytes + column.byteLength, this.#flags.byteLength);
    return sum + this.#texts.bytes + this.#byDigest.bytes + this.#byId.bytes;
  }

  /** Row of the key with this digest; -1 when there is none. Digests are compared in constant time. */
  find(digest: Uint8Array): number {
    const digests = this.#digests;
    return this.#byDigest.find(wordAt(digest, 0), (row) => {
      let difference = 0;
      const at = row * DIGEST_BYTES;
      for (let i = 0; i < DIGEST_BYTES; i++) difference |= (digests[at + i] as number) ^ (digest[i] as number);
      return difference === 0;
    });
  }

  /** Puts a key in, or what has become of it. */
  put(facts: KeyFacts): void {
    const digest = Buffer.from(facts.hash, 'base64url');
    if (digest.length !== DIGEST_BYTES) throw new Error(`key ${facts.id} has no hash of ${DIGEST_BYTES} bytes`);
    const old = this.#findId(facts.id);
    const profile = this.#profiles.take(facts);
    const text = this.#texts.add(facts.id, facts.principal);
    if (old >= 0) this.#empty(old);
    const row = old >= 0 ? old : (this.#free.pop() ?? this.#newRow());
    this.#digests.set(digest, row * DIGEST_BYTES);
    this.#notBefore[row] = facts.notBefore ?? 0;
    this.#expiresAt[row] = facts.expiresAt ?? Number.POSITIVE_INFINITY;
    this.#profile[row] = profile;
    this.#text[row] = text;
    this.#flags[row] = LIVE | this.#round | (facts.disabled ? DISABLED : 0);
    this.versions[row] = (this.versions[row] as number) + 1;
    this.#live++;
    this.#byDigest.add(row);
    this.#byId.add(row);
  }

  /** Takes a key out, by its id. */
  remove(id: string): void {
    const row = this.#findId(id);
    if (row < 0) return;
    this.#empty(row);
    this.#free.push(row);
  }

  /** All keys are told anew: what is not put again until `complete` goes. */
  begin(): void {
    this.#round ^= ROUND;
  }

  /** All keys have been told. */
  complete(): void {
    for (let row = 0; row < this.#rows; row++) {
      const flags = this.#flags[row] as number;
      if ((flags & LIVE) === 0 || (flags & ROUND) === this.#round) continue;
      this.#empty(row);
      this.#free.push(row);
    }
  }

  /** Public id of a row's key. */
  id(row: number): string {
    return this.#texts.first(this.#text[row] as number);
  }

  /** Whom a row's key stands for. */
  principal(row: number): string {
    return this.#texts.second(this.#text[row] as number);
  }

  /** What a row's key shares with others. */
  profile(row: number): Profile {
    return this.#profiles.get(this.#profile[row] as number);
  }

  notBefore(row: number): number {
    return this.#notBefore[row] as number;
  }

  expiresAt(row: number): number {
    return this.#expiresAt[row] as number;
  }

  disabled(row: number): boolean {
    return ((this.#flags[row] as number) & DISABLED) !== 0;
  }

  /** Whether the key of an identity is there, still this caller's, and not switched off. */
  holds({ credential, principal, tenant }: Pick<Identity, 'credential' | 'principal' | 'tenant'>): boolean {
    const row = this.#findId(credential);
    if (row < 0 || this.disabled(row) || this.reserved.has(credential)) return false;
    return this.principal(row) === principal && this.profile(row).tenant === tenant;
  }

  #findId(id: string): number {
    return this.#byId.find(this.#texts.hashOf(id), (row) => this.#texts.firstIs(this.#text[row] as number, id));
  }

  #empty(row: number): void {
    this.epoch++;
    this.#byDigest.remove(row);
    this.#byId.remove(row);
    this.#texts.drop(this.#text[row] as number);
    this.#profiles.drop(this.#profile[row] as number);
    this.#flags[row] = 0;
    this.versions[row] = (this.versions[row] as number) + 1;
    this.#live--;
  }

  #newRow(): number {
    const row = this.#rows++;
    const room = this.#flags.length;
    if (row < room) return row;
    const next = Math.ceil(room * 1.5);
    this.versions = grown(this.versions, new Uint32Array(next));
    this.#digests = grown(this.#digests, new Uint8Array(next * DIGEST_BYTES));
    this.#notBefore = grown(this.#notBefore, new Float64Array(next));
    this.#expiresAt = grown(this.#expiresAt, new Float64Array(next));
    this.#profile = grown(this.#profile, new Uint32Array(next));
    this.#text = grown(this.#text, new Uint32Array(next));
    this.#flags = grown(this.#flags, new Uint8Array(next));
    return row;
  }

  /** The heap of text has moved together. */
  #moved(to: (at: number) => number): void {
    for (let row = 0; row < this.#rows; row++) {
      if (((this.#flags[row] as number) & LIVE) !== 0) this.#text[row] = to(this.#text[row] as number);
    }
  }
}

const LIVE = 1;
const DISABLED = 2;
/** Whether a row was put in this telling of all keys, or in the one before. */
const ROUND = 4;

/** Four bytes as an unsigned number. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
