/**
 * What has been revoked: single tokens, and all tokens of a subject, login, client or family that were issued up to a time.
 * A change raises `epoch`; who has looked at one epoch need not look again at the same.
 */
import type { Clock } from '../../../kernel/clock.ts';
import type { Names } from './claims.ts';

/** By what a revocation names the tokens that it ends. */
type RevocationKind = 'id' | 'principal' | 'session' | 'client' | 'family';

/** Ends tokens. */
export interface Revocation {
  readonly kind: RevocationKind;
  /** The `jti`, the principal as `Identity.principal` has it, `sid`, `client_id` or `fam`. */
  readonly value: string;
  /** Configured name of the issuer whose tokens are meant; all issuers when left out. */
  readonly issuer?: string | undefined;
  /**
   * Tokens issued up to then are ended, later ones not: so a new login goes on. Wall clock, milliseconds since 1970. All when
   * left out. A token that does not say when it was issued is ended in any case.
   */
  readonly issuedUpTo?: number | undefined;
  /** Where `issuedUpTo` is left out: what it was before. Nothing to a worker; whoever lets new tokens hold begins after it. */
  readonly endedBefore?: number | undefined;
  /** From then on it can be forgotten, since the tokens have expired by themselves. Wall clock; never when left out. */
  readonly forgetAt?: number | undefined;
}

const NEVER = Number.POSITIVE_INFINITY;
/** Fewer are not worth looking through. */
const SWEEP_FROM = 1024;

const keyOf = (kind: RevocationKind, issuer: string, name: string) => `${kind}\n${issuer}\n${name}`;

type Entries = Map<string, { readonly upTo: number; readonly forgetAt: number }>;

/** The revocations that are in force. */
export class Revocations {
  readonly #clock: Clock;
  /** Key → when it can be forgotten, and up to when the tokens were issued. */
  readonly #entries: Entries = new Map();
  /** What this worker has concluded by itself, in the same way; it stays when all others are told anew. */
  readonly #concluded: Entries = new Map();
  #sweepFrom = SWEEP_FROM;
  /** Grows with every change. */
  epoch = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Ends tokens from now on. */
  revoke({ kind, value: name, issuer = '', issuedUpTo = NEVER, forgetAt = NEVER }: Revocation): void {
    const key = keyOf(kind, issuer, name);
    this.#entries.set(key, { upTo: issuedUpTo, forgetAt });
    // What was concluded is said by others now: when they let newer tokens hold, nothing of our own must stand against these.
    if ((this.#concluded.get(key)?.upTo ?? NEVER) <= issuedUpTo) this.#concluded.delete(key);
    this.epoch++;
    if (this.#entries.size >= this.#sweepFrom) this.#sweep();
  }

  /** Takes a revocation back (an administrator's mistake). */
  restore({ kind, value: name, issuer = '' }: Revocation): void {
    if (this.#entries.delete(keyOf(kind, issuer, name))) this.epoch++;
  }

  /** Ends tokens here and now, by a conclusion of this worker's own: the store will say so, too, and until then it holds here. */
  conclude({ kind, value: name, issuer = '', issuedUpTo = NEVER, forgetAt = NEVER }: Revocation): void {
    const key = keyOf(kind, issuer, name);
    if ((this.#entries.get(key)?.upTo ?? Number.NEGATIVE_INFINITY) >= issuedUpTo) return;
    this.#concluded.set(key, { upTo: issuedUpTo, forgetAt });
    this.epoch++;
    if (this.#concluded.size >= this.#sweepFrom) this.#sweep();
  }

  /** What was concluded holds for tokens issued up to then only. Nothing when nothing was. */
  limit({ kind, value: name, issuer = '' }: Revocation, issuedUpTo: number): void {
    const key = keyOf(kind, issuer, name);
    const found = this.#concluded.get(key);
    if (found === undefined || found.upTo <= issuedUpTo) return;
    this.#concluded.set(key, { upTo: issuedUpTo, forgetAt: found.forgetAt });
    this.epoch++;
  }

  /** All that are in force from now on; what is not among them is taken back. */
  replace(all: readonly Revocation[]): void {
    this.#entries.clear();
    this.epoch++;
    for (const one of all) this.revoke(one);
  }

  /** Whether a token is ended. `issuer`: its configured name. */
  covers(issuer: string, principal: string, names: Names): boolean {
    if (this.#entries.size === 0 && this.#concluded.size === 0) return false;
    return (
      this.#has('id', issuer, names.id, names) ||
      this.#has('principal', issuer, principal, names) ||
      this.#has('session', issuer, names.session, names) ||
      this.#has('client', issuer, names.client, names) ||
      this.#has('family', issuer, names.family, names)
    );
  }

  /** Forgets what has run out. */
  #sweep(): void {
    const now = this.#clock.wall();
    for (const entries of [this.#entries, this.#concluded]) {
      for (const [key, { forgetAt }] of entries) if (forgetAt <= now) entries.delete(key);
    }
    this.#sweepFrom = Math.max(SWEEP_FROM, 2 * this.#entries.size, 2 * this.#concluded.size);
  }

  #has(kind: RevocationKind, issuer: string, name: string, { issuedAt }: Names): boolean {
    if (name === '') return false;
    const key = keyOf(kind, issuer, name);
    const own = this.#entries.get(key);
    if (own !== undefined && issuedAt <= own.upTo) return true;
    const here = this.#concluded.get(key);
    if (here !== undefined && issuedAt <= here.upTo) return true;
    const all = this.#entries.get(keyOf(kind, '', name));
    return all !== undefined && issuedAt <= all.upTo;
  }
}
