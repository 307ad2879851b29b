/**
 * What has been revoked: single tokens, and all tokens of a subject, login, client or family that were issued up to a time.
 * A change raises `epoch`; who has looked at one epoch need not look again at the same.
 */
import type { Names } from './claims.ts';

/** By what a revocation names the tokens that it ends. */
export type RevocationKind = 'id' | 'principal' | 'session' | 'client' | 'family';

/** Ends tokens. Plain data, so it can travel and be stored. */
export interface Revocation {
  kind: RevocationKind;
  /** The `jti`, the principal (as `Identity.principal` has it), `sid`, `client_id` or `fam`. */
  value: string;
  /** Configured name of the issuer whose tokens are meant; all issuers when left out. A principal names its own. */
  issuer?: string | undefined;
  /**
   * Tokens issued up to then are ended, later ones not: so a new login goes on. Wall clock, milliseconds since 1970. All when
   * left out. A token that does not say when it was issued is ended in any case.
   */
  issuedUpTo?: number | undefined;
  /** From then on it can be forgotten, since the tokens have expired by themselves. Wall clock; never when left out. */
  forgetAt?: number | undefined;
}

interface Entry {
  upTo: number;
  forgetAt: number;
}

const keyOf = (kind: string, issuer: string, value: string) => `${kind}\n${issuer}\n${value}`;

/** The revocations that are in force. */
export class Revocations {
  readonly #entries = new Map<string, Entry>();
  /** Grows with every revocation. */
  epoch = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** Ends tokens from now on. One that is wider than what stands takes its place. */
  revoke({ kind, value, issuer = '', issuedUpTo, forgetAt }: Revocation): void {
    const key = keyOf(kind, issuer, value);
    const old = this.#entries.get(key);
    this.#entries.set(key, {
      upTo: Math.max(old?.upTo ?? 0, issuedUpTo ?? Number.POSITIVE_INFINITY),
      forgetAt: Math.max(old?.forgetAt ?? 0, forgetAt ?? Number.POSITIVE_INFINITY),
    });
    this.epoch++;
  }

  /** Takes a revocation back (an administrator's mistake). */
  restore({ kind, value, issuer = '' }: Pick<Revocation, 'kind' | 'value' | 'issuer'>): void {
    if (this.#entries.delete(keyOf(kind, issuer, value))) this.epoch++;
  }

  /** All that are in force from now on; what is not among them is taken back. */
  replace(all: readonly Revocation[]): void {
    this.#entries.clear();
    this.epoch++;
    for (const one of all) this.revoke(one);
  }

  /** Forgets what has run out. `now`: wall clock. */
  sweep(now: number): void {
    for (const [key, { forgetAt }] of this.#entries) if (forgetAt <= now) this.#entries.delete(key);
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

  #has(kind: RevocationKind, issuer: string, value: string, { issuedAt }: Names): boolean {
    if (value === '') return false;
    const own = this.#entries.get(keyOf(kind, issuer, value));
    if (own !== undefined && issuedAt <= own.upTo) return true;
    const all = this.#entries.get(keyOf(kind, '', value));
    return all !== undefined && issuedAt <= all.upTo;
  }
}
