/** API keys: the text that was shown → whose key it is. A key that was seen before costs one look-up of its text. */
import type { Clock } from '../../kernel/clock.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import type { Identity } from '../../kernel/identity.ts';
import type { Authenticator, AuthFailure, AuthVerdict, CredentialScheme } from './authenticator.ts';
import type { KeyDocument } from './document.ts';
import { Hmac } from './hmac.ts';
import { isOurs, KEY_LENGTH, keyFault } from './key.ts';
import { KeyTable } from './table.ts';
import type { UsedKeys } from './used.ts';

/** A key that was verified once. It holds for as long as its row in the table has not been touched. */
interface Verified {
  readonly table: KeyTable;
  readonly row: number;
  readonly version: number;
  readonly identity: Identity;
  readonly notBefore: number;
  readonly allows: ((address: string) => boolean) | undefined;
  /** The address that was allowed last. */
  address: string;
  /** Minute in which its use was noted last. */
  noted: number;
}

const LENGTHS: AuthFailure = {
  failed: 'malformed',
  message: `The API key is not as long as a key is (${KEY_LENGTH} characters): was it cut off?`,
};
const CHARACTERS: AuthFailure = {
  failed: 'malformed',
  message: 'The API key holds a character that no key has: letters and digits follow the prefix. Copy it once more.',
};
const CHECKSUM: AuthFailure = {
  failed: 'malformed',
  message: 'The checksum of the API key is wrong: was it cut off, or mistyped? Copy it once more.',
};
const UNKNOWN: AuthFailure = { failed: 'unknown', message: 'The API key is not known here.' };
const EXPIRED: AuthFailure = { failed: 'expired', message: 'This API key has expired. Ask for a new one.' };
const TOO_SOON: AuthFailure = { failed: 'not_yet_valid', message: 'This API key is not valid yet.' };
const DISABLED: AuthFailure = { failed: 'disabled', message: 'This API key has been revoked. Ask for a new one.' };
const TAKEN: AuthFailure = {
  failed: 'disabled',
  message: 'This API key is out of use: another key bears its id now. Ask for a new one.',
};
const ELSEWHERE: AuthFailure = {
  failed: 'network',
  message: 'This API key may not be used from this address.',
  harmless: true,
};

/** What an `ApiKeys` is made of. */
export interface ApiKeysParts {
  clock: Clock;
  /** First the one for new keys. */
  peppers: readonly string[];
  /** Keys of the configuration. */
  declared: readonly KeyDocument[];
  /** Keys of the store. */
  table: KeyTable;
  /** Most keys remembered as verified. */
  remembered: number;
  /** Told which keys are used. */
  used: UsedKeys;
}

/** Verifies API keys. Made anew when peppers or declared keys change; the table of the store's keys lives on. */
export class ApiKeys implements Authenticator {
  readonly method = 'apiKey';
  readonly #clock: Clock;
  readonly #peppers: readonly Hmac[];
  readonly #declared = new KeyTable();
  readonly #table: KeyTable;
  readonly #used: UsedKeys;
  readonly #half: number;
  // Two generations: when the new one is full it becomes the old one, and what is used moves over again. A map looks for the
  // hash of a text, seeded anew in each process, before it compares: its time tells nothing about keys that begin alike.
  #fresh = new Map<string, Verified>();
  #stale = new Map<string, Verified>();

  constructor(parts: ApiKeysParts) {
    this.#clock = parts.clock;
    this.#peppers = (parts.peppers.length > 0 ? parts.peppers : ['']).map((pepper) => new Hmac(pepper));
    this.#table = parts.table;
    this.#used = parts.used;
    this.#half = Math.ceil(parts.remembered / 2);
    for (const key of parts.declared) this.#declared.put(key);
    this.#table.reserved = new Set(parts.declared.map(({ id }) => id));
  }

  recognizes(scheme: CredentialScheme): boolean {
    return scheme !== 'dpop';
  }

  guessable(credential: string): boolean {
    return !isOurs(credential) && !this.#fresh.has(credential) && !this.#stale.has(credential);
  }

  authenticate(_scheme: CredentialScheme, credential: string, exchange: Exchange): AuthVerdict {
    const found = this.#fresh.get(credential);
    if (found !== undefined && found.version === found.table.versions[found.row]) return this.#admit(found, exchange);
    return this.#verify(credential, exchange);
  }

  /** A key that has expired was not taken back: what it began may end. */
  takenBack(identity: Identity): boolean {
    if (identity.method !== 'apiKey' || this.#clock.wall() >= identity.expiresAt) return false;
    return !this.#table.holds(identity) && !this.#declared.holds(identity);
  }

  /** What still holds of a key that was verified. */
  #admit(found: Verified, exchange: Exchange): AuthVerdict {
    const { identity } = found;
    const now = this.#clock.wall();
    if (now >= identity.expiresAt) return EXPIRED;
    if (now < found.notBefore) return TOO_SOON;
    if (found.allows !== undefined) {
      const address = exchange.inbound.clientAddress;
      if (address !== found.address) {
        if (!found.allows(address)) return ELSEWHERE;
        found.address = address;
      }
    }
    const minute = Math.floor(now / 60_000);
    if (minute !== found.noted) {
      found.noted = minute;
      if (found.table === this.#table) this.#used.note(identity.credential, now);
    }
    return identity;
  }

  #verify(credential: string, exchange: Exchange): AuthVerdict {
    const stale = this.#stale.get(credential);
    if (stale !== undefined && stale.version === stale.table.versions[stale.row]) {
      this.#remember(credential, stale);
      return this.#admit(stale, exchange);
    }
    if (isOurs(credential)) {
      const fault = keyFault(credential);
      if (fault !== undefined) return fault === 'length' ? LENGTHS : fault === 'checksum' ? CHECKSUM : CHARACTERS;
    }
    for (const pepper of this.#peppers) {
      const digest = pepper.digest(credential);
      let table = this.#declared;
      let row = table.find(digest);
      if (row < 0) {
        table = this.#table;
        row = table.find(digest);
      }
      if (row < 0) continue;
      // Only who has the whole key learns that there is one.
      if (table.disabled(row)) return DISABLED;
      if (table.reserved.has(table.id(row))) return TAKEN;
      const verified = verifiedOf(table, row);
      // A piece of the head's text would keep all of that alive.
      this.#remember(Buffer.from(credential, 'latin1').toString('latin1'), verified);
      return this.#admit(verified, exchange);
    }
    return UNKNOWN;
  }

  #remember(credential: string, verified: Verified): void {
    if (this.#fresh.size >= this.#half) {
      this.#stale = this.#fresh;
      this.#fresh = new Map();
    }
    this.#fresh.set(credential, verified);
  }
}

function verifiedOf(table: KeyTable, row: number): Verified {
  const { tenant, plan, scopes, roles, models, priority, claims, allows } = table.profile(row);
  const id = table.id(row);
  const identity: Identity = {
    method: 'apiKey',
    principal: table.principal(row),
    credential: id,
    account: id,
    tenant,
    plan,
    scopes,
    roles,
    models,
    priority,
    claims,
    expiresAt: table.expiresAt(row),
  };
  const version = table.versions[row] as number;
  return { table, row, version, identity, notBefore: table.notBefore(row), allows, address: '', noted: 0 };
}
