/**
 * Keeps the keys of issuers (JWKS), in the supervisor: fetches them before they are needed, fetches again when a token
 * names a key that is not known, and holds on to the last good ones while an issuer cannot be reached.
 */
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Events } from '../../../kernel/event.ts';
import type { IssuerConfig, IssuersConfig } from './config.ts';
import { type PublicJwk, readKeys } from './key.ts';
import { type IssuerKeys, sourceOf } from './source.ts';

/** Fetches a JSON document; rejects with a sentence that says why not. */
export type FetchJson = (url: string, options: { ca?: string | undefined; timeoutMs: number }) => Promise<unknown>;

/** Keeps the last good keys for a restart while their issuer cannot be reached. */
export interface KeyCopies {
  /** `source`: as `sourceOf` writes it. Undefined: there is none. */
  read(source: string): Promise<unknown>;
  write(source: string, keys: readonly PublicJwk[]): Promise<void>;
}

/** What a keeper is made with. */
export interface KeeperParts {
  clock: Clock;
  events: Events;
  fetch: FetchJson;
  /** Keys of an issuer are new, or have changed. */
  changed: (keys: IssuerKeys) => void;
  copies?: KeyCopies | undefined;
}

/** What is known of the keys of one issuer, for metrics and status pages. */
export interface KeeperStatus {
  name: string;
  issuer: string;
  keys: number;
  /** Seconds since they were last fetched; undefined: never. */
  ageSeconds: number | undefined;
  fetches: number;
  failures: number;
  /** Why the last fetch failed; '' when it did not. */
  problem: string;
}

/** After a failed fetch it is tried again after so long, at first and at most. */
const RETRY_MS = 2000;
const RETRY_MOST_MS = 60_000;

/** One issuer's keys. */
class Kept {
  readonly name: string;
  readonly config: IssuerConfig;
  readonly #parts: KeeperParts;
  keys: readonly PublicJwk[] | undefined = undefined;
  fetchedAt: number | undefined = undefined;
  fetches = 0;
  failures = 0;
  problem = '';
  #failedInARow = 0;
  #triedAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined = undefined;
  #running: Promise<void> | undefined = undefined;
  #closed = false;
  #told = '';

  constructor(name: string, config: IssuerConfig, parts: KeeperParts) {
    this.name = name;
    this.config = config;
    this.#parts = parts;
  }

  /** A token names a key that is not known: fetched anew, but not more often than `cooldown`. */
  async want(missing: boolean): Promise<void> {
    const { clock } = this.#parts;
    if (this.#running !== undefined) return this.#running;
    // While there are none at all nothing is served: then it is tried more often.
    const pause = missing && this.keys === undefined ? RETRY_MS : this.config.cooldown;
    if (clock.now() - this.#triedAt < pause) return;
    return this.fetch();
  }

  fetch(): Promise<void> {
    this.#timer?.cancel();
    this.#triedAt = this.#parts.clock.now();
    this.#running ??= this.#fetch().finally(() => {
      this.#running = undefined;
      if (!this.#closed) this.#timer = this.#parts.clock.after(this.#pause(), () => void this.fetch());
    });
    return this.#running;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #pause(): number {
    const spread = 0.9 + 0.1 * this.#parts.clock.random();
    const pause =
      this.#failedInARow === 0
        ? this.config.refresh
        : Math.min(RETRY_MS * 2 ** (this.#failedInARow - 1), RETRY_MOST_MS, this.config.refresh);
    return pause * spread;
  }

  async #fetch(): Promise<void> {
    try {
      const url = this.config.jwksUrl ?? (await this.#discover());
      const { keys, problems } = readKeys(await this.#get(url));
      if (this.#closed) return;
      if (keys.length === 0)
        throw new Error(`no key of ${url} is of use here${problems.map((p) => `; ${p}`).join('')}`);
      this.fetchedAt = this.#parts.clock.now();
      this.fetches++;
      this.#failedInARow = 0;
      if (this.#take(keys)) this.#keep(keys);
      if (this.problem !== '') this.#notice('info', `the keys of issuer ${this.name} can be fetched again`);
      this.problem = '';
    } catch (error) {
      if (this.#closed) return;
      this.fetches++;
      this.failures++;
      this.#failedInARow++;
      if (this.keys === undefined) await this.#takeCopy();
      const why = error instanceof Error ? error.message : String(error);
      const rest = this.keys === undefined ? 'its tokens are refused (503)' : 'the last good ones stay in use';
      if (why !== this.problem)
        this.#notice('warn', `the keys of issuer ${this.name} cannot be fetched, ${rest}: ${why}`);
      this.problem = why;
    }
  }

  /** The keys' address out of the issuer's metadata (OpenID Connect Discovery 1.0 §4, RFC 8414 §3). */
  async #discover(): Promise<string> {
    const { issuer, discovery } = this.config;
    const url = discovery ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const metadata = (await this.#get(url)) as { issuer?: unknown; jwks_uri?: unknown } | null;
    // Another issuer's document would bring another issuer's keys (RFC 8414 §3.3).
    if (metadata?.issuer !== issuer) throw new Error(`${url} is the metadata of another issuer than ${issuer}`);
    if (typeof metadata.jwks_uri !== 'string') throw new Error(`${url} names no jwks_uri`);
    return metadata.jwks_uri;
  }

  #get(url: string): Promise<unknown> {
    return this.#parts.fetch(url, { ca: this.config.ca, timeoutMs: this.config.timeout });
  }

  /** The keys of the last run, where there are none yet. What is no key set is none. */
  async #takeCopy(): Promise<void> {
    const { copies } = this.#parts;
    try {
      const { keys } = readKeys({ keys: await copies?.read(sourceOf(this.config)) });
      if (keys.length > 0 && this.keys === undefined && !this.#closed) this.#take(keys);
    } catch {
      // There is none, or none of use: the next fetch will tell.
    }
  }

  #keep(keys: readonly PublicJwk[]): void {
    this.#parts.copies?.write(sourceOf(this.config), keys).catch((error: Error) => {
      this.#notice('warn', `no copy of the keys of issuer ${this.name} is kept for a restart: ${error.message}`);
    });
  }

  /** True when they are others than before. */
  #take(keys: readonly PublicJwk[]): boolean {
    this.keys = keys;
    const text = JSON.stringify(keys);
    if (text === this.#told) return false;
    this.#told = text;
    this.#parts.changed({ name: this.name, source: sourceOf(this.config), keys });
    return true;
  }

  #notice(level: 'info' | 'warn', message: string): void {
    this.#parts.events.emit('notice', { level, message });
  }
}

/** Keeps the keys of all issuers. */
export class JwksKeeper {
  readonly #parts: KeeperParts;
  #kept = new Map<string, Kept>();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** Other settings are in force. Resolves when each new issuer has been asked once, whatever came of it. */
  async configure(issuers: IssuersConfig): Promise<void> {
    const next = new Map<string, Kept>();
    const fresh: Kept[] = [];
    for (const [name, config] of Object.entries(issuers)) {
      if (config.keys !== undefined) continue;
      const old = this.#kept.get(name);
      if (old !== undefined && JSON.stringify(old.config) === JSON.stringify(config)) next.set(name, old);
      else {
        const kept = new Kept(name, config, this.#parts);
        // Until the first fetch the keys of the same issuer from the same place will do.
        if (old?.keys !== undefined && sourceOf(old.config) === sourceOf(config)) kept.keys = old.keys;
        next.set(name, kept);
        fresh.push(kept);
      }
    }
    for (const [name, kept] of this.#kept) if (next.get(name) !== kept) kept.close();
    this.#kept = next;
    await Promise.all(fresh.map((kept) => kept.fetch()));
  }

  /** All keys that there are, for a new worker. */
  all(): IssuerKeys[] {
    const found: IssuerKeys[] = [];
    for (const { name, config, keys } of this.#kept.values()) {
      if (keys !== undefined) found.push({ name, source: sourceOf(config), keys });
    }
    return found;
  }

  /** Keys of one issuer, fetched anew when that is due; `missing`: the asker has none at all. */
  async want(name: string, missing: boolean): Promise<IssuerKeys | undefined> {
    const kept = this.#kept.get(name);
    await kept?.want(missing);
    return kept?.keys && { name, source: sourceOf(kept.config), keys: kept.keys };
  }

  status(): KeeperStatus[] {
    const now = this.#parts.clock.now();
    return [...this.#kept.values()].map(({ name, config, keys, fetchedAt, fetches, failures, problem }) => ({
      name,
      issuer: config.issuer,
      keys: keys?.length ?? 0,
      ageSeconds: fetchedAt === undefined ? undefined : (now - fetchedAt) / 1000,
      fetches,
      failures,
      problem,
    }));
  }

  close(): void {
    for (const kept of this.#kept.values()) kept.close();
  }
}
