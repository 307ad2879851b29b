/** Devices that wait to be let in (RFC 8628): a device asks, a person looks at its code and decides, the device fetches tokens. */
import { createHash, randomInt } from 'node:crypto';
import type { Document, Write } from '../../store/store.ts';
import type { TokensConfig } from './config.ts';
import type { TokenParts } from './parts.ts';
import { chance, deriveAll, mac } from './secret.ts';
import { OAuthError } from './wire.ts';

/** Kind of the documents in the store. */
export const DEVICE_KIND = 'deviceLogin';

/** No vowels, so no words, and nothing that looks like something else (RFC 8628 §6.1): 20^8 codes. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
/** How long a device is told that its code has expired, instead of that there is none. */
const REMEMBERED_MS = 10 * 60_000;
/** What a device that asks too often has to wait more (RFC 8628 §3.5). */
const SLOWER_MS = 5000;
const TRIES = 8;

/** A device as it stands in the store. Times are milliseconds since 1970, `interval` is milliseconds. */
export interface DeviceLogin {
  readonly client: string;
  readonly clientName: string;
  readonly scopes: readonly string[];
  /** Where it asked from, to be shown to the person. */
  readonly address: string;
  readonly endsAt: number;
  readonly interval: number;
  readonly polledAt: number;
  readonly state: 'pending' | 'approved' | 'denied';
  /** Key of the person who let it in; '' before. */
  readonly key: string;
}

/** What a device is told (RFC 8628 §3.2). */
export interface DeviceAnswer {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
  expires_in: number;
  interval: number;
}

type Settings = Pick<TokensConfig, 'issuer' | 'path' | 'deviceLifetime' | 'deviceInterval'>;

/** Keeps devices that wait. */
export class Devices {
  readonly #parts: Pick<TokenParts, 'clock' | 'store'>;
  #settings: Settings;
  #secrets: readonly Buffer[];

  constructor(parts: Pick<TokenParts, 'clock' | 'store'>, settings: Settings, peppers: readonly string[]) {
    this.#parts = parts;
    this.#settings = settings;
    this.#secrets = deriveAll(peppers, 'user codes');
  }

  /** Other settings are in force. */
  configure(settings: Settings, peppers: readonly string[]): void {
    this.#settings = settings;
    this.#secrets = deriveAll(peppers, 'user codes');
  }

  /** A device asks. */
  async begin(client: { id: string; name: string }, scopes: readonly string[], address: string): Promise<DeviceAnswer> {
    const { issuer, path, deviceLifetime, deviceInterval } = this.#settings;
    const now = this.#parts.clock.wall();
    const endsAt = now + deviceLifetime;
    for (let i = 0; i < TRIES; i++) {
      const [code, userCode] = [chance(32), userCodeOf()];
      const value: DeviceLogin = {
        ...{ client: client.id, clientName: client.name, scopes, address, endsAt, interval: deviceInterval },
        ...{ polledAt: 0, state: 'pending', key: '' },
      };
      const write: Write = {
        ...{ op: 'put', kind: DEVICE_KIND, id: idOf(code), value, expect: 0, expiresAt: endsAt + REMEMBERED_MS },
        lookups: this.#lookups(userCode),
      };
      if (!(await this.#parts.store.write([write])).ok) continue;
      const page = `${issuer}${path}/device`;
      return {
        device_code: code,
        user_code: userCode,
        verification_uri: page,
        verification_uri_complete: `${page}?user_code=${userCode}`,
        expires_in: Math.floor(deviceLifetime / 1000),
        interval: Math.ceil(deviceInterval / 1000),
      };
    }
    throw new OAuthError('temporarily_unavailable', 'No code could be made: try again.', 503);
  }

  /** The device that shows this code to its user, while it waits. */
  async byUserCode(typed: string): Promise<Document<DeviceLogin> | undefined> {
    const letters = typed.toUpperCase().replace(/[^A-Z]/g, '');
    if (letters.length !== 8) return undefined;
    for (const lookup of this.#lookups(dashed(letters))) {
      const found = await this.#parts.store.find<DeviceLogin>(DEVICE_KIND, lookup);
      if (found !== undefined) return this.#waits(found.value) ? found : undefined;
    }
    return undefined;
  }

  /** The same by the id of its document. */
  async byId(id: string): Promise<Document<DeviceLogin> | undefined> {
    const found = await this.#parts.store.get<DeviceLogin>(DEVICE_KIND, id);
    return found && this.#waits(found.value) ? found : undefined;
  }

  /** A person has decided. False: too late. */
  async decide(found: Document<DeviceLogin>, state: 'approved' | 'denied', key: string): Promise<boolean> {
    const { id, value, version } = found;
    const write = this.#put(id, { ...value, state, key }, version, found.lookups);
    return (await this.#parts.store.write([write], { who: `key:${key}`, what: `tokens.device.${state}` })).ok;
  }

  /**
   * A device asks whether it was let in. `issue` says what to write when it was: that and the end of the code happen together,
   * so that a code gives tokens once. Throws an `OAuthError` otherwise.
   */
  async poll<T>(
    code: string,
    client: string,
    issue: (login: DeviceLogin) => Promise<{ writes: readonly Write[]; result: T }>,
  ): Promise<T> {
    for (let i = 0; i < TRIES; i++) {
      const found = await this.#parts.store.get<DeviceLogin>(DEVICE_KIND, idOf(code));
      if (found === undefined || found.value.client !== client)
        throw new OAuthError('invalid_grant', 'There is no such device code, or it was used.');
      const { id, value, version, lookups } = found;
      const now = this.#parts.clock.wall();
      if (value.state === 'denied') throw new OAuthError('access_denied', 'The user has said no.');
      if (now >= value.endsAt) throw new OAuthError('expired_token', 'The code has expired: begin again.');
      if (value.state === 'approved') {
        const { writes, result } = await issue(value);
        const end: Write = { op: 'delete', kind: DEVICE_KIND, id, expect: version };
        if ((await this.#parts.store.write([end, ...writes])).ok) return result;
        continue;
      }
      const early = now - value.polledAt < value.interval - 500;
      const interval = early ? value.interval + SLOWER_MS : value.interval;
      const polled = this.#put(id, { ...value, polledAt: now, interval }, version, lookups);
      // Where the person has decided just now, that counts.
      if (!(await this.#parts.store.write([polled])).ok) continue;
      if (early) throw new OAuthError('slow_down', `Ask every ${Math.ceil(interval / 1000)} s, not more often.`);
      throw new OAuthError('authorization_pending', 'The user has not decided yet.');
    }
    throw new OAuthError('slow_down', 'Too many ask with this code at once.');
  }

  #waits({ state, endsAt }: DeviceLogin): boolean {
    return state === 'pending' && this.#parts.clock.wall() < endsAt;
  }

  #put(id: string, value: DeviceLogin, expect: number, lookups: readonly string[]): Write {
    return { op: 'put', kind: DEVICE_KIND, id, value, expect, lookups, expiresAt: value.endsAt + REMEMBERED_MS };
  }

  #lookups(userCode: string): string[] {
    return this.#secrets.map((secret) => `user:${mac(secret, userCode)}`);
  }
}

const idOf = (code: string): string => createHash('sha256').update(code).digest('base64url');
const dashed = (letters: string): string => `${letters.slice(0, 4)}-${letters.slice(4)}`;

function userCodeOf(): string {
  return dashed(Array.from({ length: 8 }, () => LETTERS[randomInt(LETTERS.length)] as string).join(''));
}
