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
  /** From then on it can be forgotten, since the tokens have expired by themselves. Wall clock; never when left out. */
  readonly forgetAt?: number | undefined;
}

const NEVER = Number.POSITIVE_INFINITY;
/** Fewer are not worth looking through. */
const SWEEP_FROM = 1024;

const keyOf = (kind: RevocationKind, issuer: string, name: string) => `${kind}\n${issuer}\n${name}`;

/** The revocations that are in force. */
export class Revocations {
  readonly #clock: Clock;
  /** Key → when it can be forgotten, and up to when the tokens were issued. */
  readonly #entries = new Map<string, { readonly upTo: number; readonly forgetAt: number }>();
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
    this.#entries.set(keyOf(kind, issuer, name), { upTo: issuedUpTo, forgetAt });
    this.epoch++;
    if (this.#entries.size >= this.#sweepFrom) this.#sweep();
  }

  /** Takes a revocation back (an administrator's mistake). */
  restore({ kind, value: name, issuer = '' }: Revocation): void {
    if (this.#entries.delete(keyOf(kind, issuer, name))) this.epoch++;
  }

  /** All that are in force from now on; what is not among them is taken back. */
  replace(all: readonly Revocation[]): void {
    this.#entries.clear();
    this.epoch++;
    for (const one of all) this.revoke(one);
  }

  /** Whether a token is ended. `issuer`: its configured name. */
  covers(issuer: string, principal: string, names: Names): boolean {
    if (this.#entries.size === 0) return false;
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
    for (const [key, { forgetAt }] of this.#entries) if (forgetAt <= now) this.#entries.delete(key);
    this.#sweepFrom = Math.max(SWEEP_FROM, 2 * this.#entries.size);
  }

  #has(kind: RevocationKind, issuer: string, name: string, { issuedAt }: Names): boolean {
    if (name === '') return false;
    const own = this.#entries.get(keyOf(kind, issuer, name));
    if (own !== undefined && issuedAt <= own.upTo) return true;
    const all = this.#entries.get(keyOf(kind, '', name));
    return all !== undefined && issuedAt <= all.upTo;
  }
}
