/**
 * What the supervisor does for tokens: keeps the keys of issuers and tells them to every worker, and is the one place where a
 * DPoP proof is claimed, so that none is good twice, whichever worker it reaches.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../../../kernel/clock.ts';
import type { Events } from '../../../kernel/event.ts';
import type { Redis } from '../../../store/redis.ts';
import type { DpopConfig, IssuerConfig, IssuersConfig } from './config.ts';
import { fetchJson } from './fetchjson.ts';
import { JwksKeeper, type KeeperStatus, type KeyCopies } from './jwks.ts';
import type { PublicJwk } from './key.ts';
import { PROOFS } from './proofasker.ts';
import { RedisProofs } from './redisproofs.ts';
import { type Claimed, claimIn, claimsFrom, type ProofClaim, ReplaySet } from './replay.ts';
import { type IssuerKeys, sourceOf } from './source.ts';
import { ISSUER_KEYS, type TokenNews } from './tokens.ts';

/** At the start the keys of issuers are waited for so long, in milliseconds: then tokens are refused (503) until they come. */
const FIRST_KEYS_MS = 2000;

/** Between two looks for keys of our own that other nodes have made, in milliseconds. */
const OWN_COOLDOWN_MS = 500;

/** The settings that concern it. */
export interface AuthoritySettings {
  issuers: IssuersConfig;
  dpop: DpopConfig;
  /** The first one makes the secret of nonces, so that all gateways with this pepper take each other's. */
  pepper: readonly string[];
}

/** How workers are told and asked; see supervisor/services.ts. */
export interface AuthorityServices {
  provide(name: string, service: (payload: unknown) => unknown): void;
  publish(name: string, pages: () => Iterable<TokenNews>): void;
  push(topic: string, payload: TokenNews): void;
}

/** What is known, for metrics and status pages. */
export interface AuthorityStatus {
  issuers: KeeperStatus[];
  /** Proofs that are remembered. */
  proofs: number;
  /** Questions to Redis that were not answered. */
  redisFailures: number;
}

export type { KeyCopies } from './jwks.ts';

/** See the file's head. */
export class TokenAuthority {
  readonly #clock: Clock;
  readonly #services: AuthorityServices;
  readonly #keeper: JwksKeeper;
  readonly #used: ReplaySet;
  readonly #random = randomBytes(32);
  #secret = '';
  #redis: RedisProofs | undefined = undefined;
  #link: Redis | undefined = undefined;
  readonly #connect: () => Redis | undefined;
  #own: IssuerKeys | undefined = undefined;
  #again: (() => Promise<void>) | undefined = undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #claim: (claims: ReturnType<typeof claimsFrom>) => readonly Claimed[] | Promise<readonly Claimed[]> = () => [];

  /** Registers with `services`; call `configure` before workers are started. `redis`: where several gateways remember proofs. */
  constructor(
    clock: Clock,
    events: Events,
    services: AuthorityServices,
    copies?: KeyCopies,
    redis: () => Redis | undefined = () => undefined,
  ) {
    this.#connect = redis;
    this.#clock = clock;
    this.#services = services;
    this.#used = new ReplaySet(clock, 0);
    this.#keeper = new JwksKeeper({
      clock,
      events,
      copies,
      fetch: (url, options) => fetchJson(clock, url, options),
      changed: (keys) => services.push(ISSUER_KEYS, { keys: [keys] }),
    });
    services.publish(ISSUER_KEYS, () => [
      { nonceSecret: this.#secret, keys: [...this.#keeper.all(), ...(this.#own === undefined ? [] : [this.#own])] },
    ]);
    services.provide(ISSUER_KEYS, (payload) => {
      const { name, missing } = payload as { name: string; missing: boolean };
      return name === this.#own?.name ? this.#ownAnew() : this.#keeper.want(String(name), missing === true);
    });
    services.provide(PROOFS, (payload) => this.#claim(claimsFrom(payload)));
  }

  /**
   * The issuer that this gateway is itself: its keys are told to workers, and never fetched. `again` looks for keys that
   * another node has made, when a token names one that is not known here, and calls `setOwn` when there are any.
   */
  setOwn(name: string, config: IssuerConfig, keys: readonly PublicJwk[], again?: () => Promise<void>): void {
    this.#own = { name, source: sourceOf(config), keys };
    this.#again = again;
    this.#services.push(ISSUER_KEYS, { keys: [this.#own] });
  }

  async #ownAnew(): Promise<IssuerKeys | undefined> {
    const now = this.#clock.now();
    // Anybody can name keys that there are not.
    if (this.#again !== undefined && now - this.#lookedAt >= OWN_COOLDOWN_MS) {
      this.#lookedAt = now;
      await this.#again();
    }
    return this.#own;
  }

  /** Of the nonces of DPoP. */
  get nonceSecret(): Buffer {
    return Buffer.from(this.#secret, 'base64url');
  }

  /** Claims a proof that was shown to this process. */
  async claim(proof: ProofClaim): Promise<Claimed> {
    return (await this.#claim([proof]))[0] ?? 'unavailable';
  }

  /**
   * Settings are in force. Resolves when the keys of new issuers are there, or after two seconds without them. `issues`: this
   * gateway issues tokens itself.
   */
  async configure({ issuers, dpop, pepper }: AuthoritySettings, issues = false): Promise<void> {
    const [first] = pepper;
    const secret = createHmac('sha256', first ?? this.#random)
      .update('gatehouse dpop nonces')
      .digest('base64url');
    if (secret !== this.#secret) {
      this.#secret = secret;
      this.#services.push(ISSUER_KEYS, { nonceSecret: secret });
    }
    this.#used.most = dpop.proofs;
    const wanted = issues || Object.values(issuers).some((one) => one.dpop !== 'off') ? this.#connect() : undefined;
    if (wanted !== this.#link) {
      this.#link = wanted;
      this.#redis = wanted === undefined ? undefined : new RedisProofs(wanted, this.#clock);
    }
    const redis = this.#redis;
    // The clock of who made it may be ahead, and it is taken as long after its time.
    if (redis !== undefined) redis.lifetimeMs = Math.max(redis.lifetimeMs, dpop.maxAge + 2 * dpop.clockSkew);
    this.#claim = claimIn(this.#used, redis && ((claims) => redis.claim(claims)), dpop.withoutRedis);
    let timer: ReturnType<Clock['after']> | undefined;
    const late = new Promise<void>((done) => {
      timer = this.#clock.after(FIRST_KEYS_MS, done);
    });
    await Promise.race([this.#keeper.configure(issuers), late]);
    timer?.cancel();
  }

  status(): AuthorityStatus {
    return { issuers: this.#keeper.status(), proofs: this.#used.size, redisFailures: this.#redis?.failures ?? 0 };
  }

  close(): void {
    this.#keeper.close();
  }
}
