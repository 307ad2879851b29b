/**
 * What the supervisor asks about keys, proofs and revocations when it gives out tokens: one request at a time, from the
 * store, where workers look into their copies.
 */
import { compileNetworks } from '../../http/network.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Change, Put, Store } from '../../store/store.ts';
import type { AccessConfig } from './config.ts';
import { KEY_KIND } from './directory.ts';
import { type KeyDocument, keyDocument } from './document.ts';
import type { TokenAuthority } from './jwt/authority.ts';
import { FAULTS } from './jwt/fault.ts';
import { normalUri, ProofChecker } from './jwt/proof.ts';
import type { Revocation } from './jwt/revocation.ts';
import { isOurs, keyFault } from './key.ts';
import { isUsable } from './lifecycle.ts';
import { digestKey } from './pepper.ts';
import { endedUpTo, findRevocation, revocationPut } from './revocations.ts';
import { Throttle, type ThrottleSettings } from './throttle.ts';

/** An API key that lets in. */
export type Vouched = Pick<
  KeyDocument,
  'id' | 'principal' | 'tenant' | 'plan' | 'scopes' | 'roles' | 'labels' | 'trial'
> & {
  readonly by: 'key';
  readonly models: readonly string[] | undefined;
  readonly expiresAt: number | undefined;
  /** It may be used from certain networks only. */
  readonly bound: boolean;
};

/** Names by which a token may have been revoked. `issuedAt`: wall clock in milliseconds. */
interface Names {
  readonly id: string;
  readonly principal: string;
  readonly session: string;
  readonly client: string;
  readonly family: string;
  readonly issuedAt: number;
}

const KINDS = ['id', 'principal', 'session', 'client', 'family'] as const;

/** See the file's head. */
export class Voucher {
  readonly #clock: Clock;
  readonly #store: Pick<Store, 'get' | 'find'>;
  readonly #authority: Pick<TokenAuthority, 'claim' | 'nonceSecret'>;
  readonly #throttle: Throttle;
  #access: AccessConfig;
  #failures: ThrottleSettings;
  #checker: ProofChecker;

  constructor(
    clock: Clock,
    store: Pick<Store, 'get' | 'find'>,
    authority: Pick<TokenAuthority, 'claim' | 'nonceSecret'>,
    access: AccessConfig,
    failures: ThrottleSettings,
  ) {
    this.#clock = clock;
    this.#store = store;
    this.#authority = authority;
    this.#throttle = new Throttle(clock);
    this.#access = access;
    this.#failures = failures;
    this.#checker = this.#checkerFor(access);
  }

  /** Other settings are in force. */
  configure(access: AccessConfig, failures: ThrottleSettings): void {
    this.#access = access;
    this.#failures = failures;
    this.#checker = this.#checkerFor(access);
  }

  /** The key that this text is, if it lets in from there. */
  async keyOf(key: string, address: string): Promise<Vouched | undefined> {
    if (key.length < 16 || key.length > 256 || (isOurs(key) && keyFault(key) !== undefined)) return undefined;
    const { pepper, keys } = this.#access;
    for (const one of pepper.length === 0 ? [''] : pepper) {
      const hash = digestKey(one, key).toString('base64url');
      const declared = keys.find((candidate) => candidate.hash === hash);
      const kept = declared ?? (await this.#store.find(KEY_KIND, `hash:${hash}`))?.value;
      const found = kept === undefined ? undefined : this.#usable(kept);
      // Its id stands for another key.
      if (declared === undefined && found !== undefined && this.#declares(found.id)) return undefined;
      if (found !== undefined) return this.#allows(found, address) ? vouched(found) : undefined;
    }
    return undefined;
  }

  /** A key by its id, while it lets in. */
  async keyById(id: string): Promise<Vouched | undefined> {
    const declared = this.#access.keys.find((candidate) => candidate.id === id);
    const kept = declared ?? (await this.#store.get(KEY_KIND, id))?.value;
    const found = kept === undefined ? undefined : this.#usable(kept);
    return found && vouched(found);
  }

  /** What a change of the store says of a key; undefined when it is none of a key. */
  keyChange({ kind, id, document }: Change): { id: string; ended: boolean; until: number | undefined } | undefined {
    if (kind !== KEY_KIND || this.#declares(id)) return undefined;
    const key = document === undefined ? undefined : keyDocument.safeParse(document.value).data;
    // One that is bound to networks gives no tokens, for these would not be.
    const ended = key === undefined || key.networks.length > 0 || !isUsable(key, this.#clock.wall());
    return { id, ended, until: key?.expiresAt };
  }

  /** Checks a DPoP proof that comes with a request for a token, and claims it. */
  async prove(
    proof: string,
    method: string,
    uri: string,
  ): Promise<{ jkt: string } | { nonce: string } | { failed: string }> {
    const now = this.#clock.wall();
    const subject = { method, uri: normalUri(uri), tokenHash: undefined, jkt: undefined };
    const checked = this.#checker.check(proof, subject, now);
    if (checked === 'nonce') return { nonce: this.#checker.nonce(now) };
    if (typeof checked === 'string') return { failed: FAULTS[checked].message };
    const claimed = await this.#authority.claim({ id: checked.id, expiresAt: checked.expiresAt });
    if (claimed === 'fresh') return { jkt: checked.jkt };
    return { failed: FAULTS[claimed === 'replayed' ? 'proofReplayed' : 'replayUnavailable'].message };
  }

  /** The write that ends tokens of an issuer. */
  revocation(revocation: Revocation): Put {
    return revocationPut(revocation);
  }

  /** Whether tokens with these names, of this issuer, have been revoked. */
  async isRevoked(issuer: string, names: Names): Promise<boolean> {
    for (const kind of KINDS) {
      if (names[kind] === '') continue;
      for (const whose of [issuer, '']) {
        const found = await findRevocation(this.#store, { kind, issuer: whose, value: names[kind] });
        if (found !== undefined && names.issuedAt <= (found.issuedUpTo ?? Number.POSITIVE_INFINITY)) return true;
      }
    }
    return false;
  }

  /** Up to when tokens of this issuer with these names were issued that have ended, later ones aside. Wall clock; 0 for none. */
  async endedUpTo(issuer: string, session: string, client: string): Promise<number> {
    let latest = 0;
    for (const [kind, value] of [
      ['session', session],
      ['client', client],
    ] as const) {
      if (value === '') continue;
      const found = await findRevocation(this.#store, { kind, issuer, value });
      latest = Math.max(latest, (found && endedUpTo(found)) ?? 0);
    }
    return latest;
  }

  /** Milliseconds for which guesses are held up. */
  hold(address: string, name: string): number {
    return this.#throttle.wait(this.#failures, address, name);
  }

  /** A guess was wrong. */
  failed(address: string, name: string): void {
    this.#throttle.failed(this.#failures, address, name);
  }

  #checkerFor(access: AccessConfig): ProofChecker {
    const authority = this.#authority;
    let secret = authority.nonceSecret;
    return new ProofChecker(access.dpop, {
      get secret() {
        // The checker makes its nonces anew when it gets another object.
        const now = authority.nonceSecret;
        if (!now.equals(secret)) secret = now;
        return secret;
      },
    });
  }

  #declares(id: string): boolean {
    return this.#access.keys.some((key) => key.id === id);
  }

  #usable(value: unknown): KeyDocument | undefined {
    const { data } = keyDocument.safeParse(value);
    const now = this.#clock.wall();
    return data !== undefined && isUsable(data, now) && (data.notBefore ?? 0) <= now ? data : undefined;
  }

  #allows({ networks }: KeyDocument, address: string): boolean {
    return compileNetworks(networks)?.(address) ?? true;
  }
}

function vouched(key: KeyDocument): Vouched {
  const { id, principal, tenant, plan, scopes, roles, models, labels, trial, expiresAt, networks } = key;
  const facts = { id, principal, tenant, plan, scopes, roles, models, labels, trial, expiresAt };
  return { by: 'key', ...facts, bound: networks.length > 0 };
}
