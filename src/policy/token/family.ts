/**
 * Logins that go on by refresh tokens. Each use of a token gives its successor (rotation, RFC 9700 §4.14.2). The store keeps
 * how many there have been, not the tokens: each is made from the pepper, so two uses of one token at the same time, on any
 * two nodes, give the same successor, and a client that has lost an answer gets it once more within the grace. Who comes with an older
 * token has it from somewhere else: the login ends, with all its tokens.
 */
import type { Write } from '../../store/store.ts';
import { forgottenAt } from './config.ts';
import type { TokenParts } from './parts.ts';
import { chance, derive, mac, same } from './secret.ts';
import { OAuthError } from './wire.ts';

/** Kind of the documents in the store. */
export const FAMILY_KIND = 'login';

const PREFIX = 'gh_rt_';

/** A login as it stands in the store. Times are milliseconds since 1970. */
export interface Family {
  readonly client: string;
  /** Whose key, or which client, its tokens stand for. */
  readonly by: 'key' | 'client';
  readonly subject: string;
  /** Who that was, and whose: another one may bear the id later. */
  readonly principal: string;
  readonly tenant: string;
  readonly scopes: readonly string[];
  /** How many refresh tokens there have been; the newest bears this number. */
  readonly generation: number;
  readonly salt: string;
  readonly rotatedAt: number;
  readonly endsAt: number;
  /** Thumbprint of the key that a public client has to show again; '' for none. */
  readonly jkt: string;
  /** Why it has ended; '' while it has not. */
  readonly ended: string;
}

/** What is said of a login that begins. */
export type FamilyOrder = Pick<Family, 'client' | 'by' | 'subject' | 'principal' | 'tenant' | 'scopes' | 'jkt'>;

/** A login that has been found by a token, and may go on. */
export interface Continued {
  readonly id: string;
  readonly family: Family;
  /** The next refresh token. */
  readonly refreshToken: string;
}

interface Settings {
  refreshLifetime: number;
  refreshGrace: number;
}

/** Others may be faster so many times in a row. */
const TRIES = 8;

/** Keeps logins. */
export class Families {
  readonly #parts: Pick<TokenParts, 'clock' | 'store' | 'revocation' | 'notice'>;
  #settings: Settings;
  #secrets: readonly Buffer[];

  constructor(
    parts: Pick<TokenParts, 'clock' | 'store' | 'revocation' | 'notice'>,
    settings: Settings,
    peppers: readonly string[],
  ) {
    this.#parts = parts;
    this.#settings = settings;
    this.#secrets = secretsOf(peppers);
  }

  /** Other settings are in force. */
  configure(settings: Settings, peppers: readonly string[]): void {
    this.#settings = settings;
    this.#secrets = secretsOf(peppers);
  }

  /** A login begins: what has to be written, together with what has led to it, and its first token. */
  begin(order: FamilyOrder): { id: string; write: Write; refreshToken: string } {
    const now = this.#parts.clock.wall();
    const id = chance(16);
    const family: Family = {
      ...order,
      generation: 1,
      salt: chance(16),
      rotatedAt: now,
      endsAt: now + this.#settings.refreshLifetime,
      ended: '',
    };
    return { id, write: putOf(id, family, 0), refreshToken: this.#token(id, family) };
  }

  /** The login of a token, whether it is the newest or not; undefined when there is none. */
  async find(token: string): Promise<{ id: string; family: Family; version: number; generation: number } | undefined> {
    const parsed = /^gh_rt_([A-Za-z0-9_-]{22})\.(\d{1,9})\.([A-Za-z0-9_-]{43})$/.exec(token);
    if (parsed === null) return undefined;
    const [, id, number, tag] = parsed as unknown as [string, string, string, string];
    const found = await this.#parts.store.get<Family>(FAMILY_KIND, id);
    if (found === undefined) return undefined;
    const { value: family, version } = found;
    const generation = Number(number);
    const genuine = this.#secrets.some((secret) => same(tagOf(secret, id, generation, family.salt), tag));
    return genuine && generation <= family.generation ? { id, family, version, generation } : undefined;
  }

  /**
   * Uses a token. `may` decides, before anything changes, whether the login may go on; what it throws is thrown. Throws an
   * `OAuthError` when the token is not good, or not any more.
   */
  async use(token: string, may: (id: string, family: Family) => Promise<void>): Promise<Continued> {
    for (let i = 0; i < TRIES; i++) {
      const found = await this.find(token);
      const now = this.#parts.clock.wall();
      if (found === undefined) throw new OAuthError('invalid_grant', 'This is no refresh token of ours.');
      const { id, family, version, generation } = found;
      if (family.ended !== '' || now >= family.endsAt)
        throw new OAuthError('invalid_grant', 'This login has ended: log in again.');
      await may(id, family);
      const late = family.generation - generation;
      if (late === 1 && now - family.rotatedAt <= this.#settings.refreshGrace)
        return { id, family, refreshToken: this.#token(id, family) };
      if (late > 0) {
        if (!(await this.end(id, family, version, 'a refresh token was used twice'))) continue;
        this.#parts.notice('warn', `a refresh token of client ${family.client} was used twice: login ${id} is ended`);
        throw new OAuthError('invalid_grant', 'This refresh token was used before: the login is ended. Log in again.');
      }
      const next = { ...family, generation: generation + 1, rotatedAt: now };
      const { ok } = await this.#parts.store.write([putOf(id, next, version)]);
      if (ok) return { id, family: next, refreshToken: this.#token(id, next) };
    }
    throw new OAuthError('temporarily_unavailable', 'Too many use this refresh token at once: try again.', 503);
  }

  /** Ends a login with its tokens, in every worker. False: somebody has changed it meanwhile. */
  async end(id: string, family: Family, version: number, why: string): Promise<boolean> {
    const { store, clock, revocation } = this.#parts;
    const forgetAt = forgottenAt(clock.wall());
    const writes = [putOf(id, { ...family, ended: why }, version), revocation({ kind: 'family', value: id, forgetAt })];
    return (await store.write(writes, { who: `client:${family.client}`, what: 'tokens.endLogin' })).ok;
  }

  #token(id: string, { generation, salt }: Family): string {
    return `${PREFIX}${id}.${generation}.${tagOf(this.#secrets[0] as Buffer, id, generation, salt)}`;
  }
}

/** Whether a text has the form of a refresh token. */
export const isRefreshToken = (token: string): boolean => token.startsWith(PREFIX);

const secretsOf = (peppers: readonly string[]) => peppers.map((pepper) => derive(pepper, 'refresh tokens'));
const tagOf = (secret: Buffer, id: string, generation: number, salt: string) =>
  mac(secret, `${id}\n${generation}\n${salt}`);

function putOf(id: string, family: Family, expect: number): Write {
  return { op: 'put', kind: FAMILY_KIND, id, value: family, expect, expiresAt: family.endsAt };
}
