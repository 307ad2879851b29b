/**
 * The limits of this node, kept in step with the configuration: what it counts by itself, and with `redis` what all nodes count
 * together. Workers ask one service for both.
 */
import { randomBytes } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { storedRules } from '../gatehouse.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Registry } from '../policy/authorize/authorize.ts';
import {
  allRules,
  LEASE_SCRIPT,
  type LeaseAsk,
  type LeaseGrant,
  LocalAuthority,
  PooledAuthority,
  type Rule,
  SharedStore,
  type SharedStoreStatus,
} from '../policy/quota/quota.ts';
import type { Redis } from '../store/redis.ts';
import type { Services } from '../supervisor/supervisor.ts';

/** Name of the service that workers ask for leases. */
export const QUOTA_SERVICE = 'quota';

/** Every limit of a configuration. */
const rulesOf = ({ limits, routes, plans, tenants }: Config) => allRules({ limits, routes, plans, tenants });

/** What `NodeLimits` is made of. */
export interface NodeLimitsParts {
  clock: Clock;
  config: Config;
  services: Services;
  /** Plans and tenants of the store. */
  registry: Registry;
  notice(notice: NoticeEvent): void;
  /** The store that nodes share, by the configuration in force or about to be. */
  redis(): Redis | undefined;
}

/** For metrics. */
export interface LimitsStatus {
  keys: number;
  evicted: number;
  asks: number;
  store: Readonly<SharedStoreStatus> | undefined;
}

/** See the file's head. */
export class NodeLimits {
  readonly authority: LocalAuthority;
  readonly #parts: NodeLimitsParts;
  readonly #pool: PooledAuthority;
  #store: SharedStore | undefined;
  #config: Config;
  #next: Config | undefined;
  #epoch = -1;
  #asks = 0;

  constructor(parts: NodeLimitsParts) {
    this.#parts = parts;
    this.authority = new LocalAuthority(parts.clock);
    const lost = (ask: LeaseAsk): LeaseGrant => ({ ...ask, retryAfterMs: 0, ttlMs: 0, resetMs: 0, lost: true });
    this.#pool = new PooledAuthority(parts.clock, async (asks) => this.#store?.ask(asks) ?? asks.map(lost));
    this.#config = parts.config;
    this.#configure();
    parts.services.provide(QUOTA_SERVICE, (asks, worker) => this.#exchange(worker, asks as LeaseAsk[]));
  }

  /** Reaches the store, if there is one; resolves when it was reached, or was not. */
  async start(): Promise<void> {
    await this.#parts.redis()?.opened;
    await this.#store?.start();
  }

  /** A configuration is about to be tried: workers may ask about its limits from now on, and still about the old ones. */
  prepare(config: Config): void {
    this.#next = config;
    this.#configure();
  }

  /** It is in force, or was refused. */
  settle(accepted: boolean): void {
    if (accepted && this.#next !== undefined) this.#config = this.#next;
    this.#next = undefined;
    this.#configure();
  }

  /** A worker has gone for good. */
  gone(worker: number): void {
    this.authority.gone(worker);
    this.#pool.gone(worker);
  }

  status(): LimitsStatus {
    const keys = this.authority.size + this.#pool.size;
    return { keys, evicted: this.authority.evicted, asks: this.#asks, store: this.#store?.status };
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    await this.#pool.close();
    await this.#store?.close();
  }

  /** Of a name that comes twice the later one holds: the configuration before the store, the next before the one in force. */
  #configure(): void {
    const { clock, notice, redis, registry } = this.#parts;
    this.#epoch = registry.epoch;
    const next = this.#next === undefined ? [] : rulesOf(this.#next);
    const rules: Rule[] = [...storedRules(registry), ...rulesOf(this.#config), ...next];
    const settings = (this.#next ?? this.#config).redis;
    if (settings !== undefined && this.#store === undefined) {
      this.#store = new SharedStore({
        clock,
        notice,
        node: randomBytes(9).toString('base64url'),
        prefix: () => redis()?.prefix ?? '',
        nodes: () => (this.#next ?? this.#config).redis?.nodes ?? 0,
        run: async (keys, args) => {
          const link = redis();
          if (link === undefined) throw new Error('none is configured');
          return link.script(LEASE_SCRIPT, keys, args);
        },
        told: () => !this.#pool.untold,
      });
    } else if (settings === undefined && this.#store !== undefined) {
      void this.#store.close();
      this.#store = undefined;
    }
    const shared = settings === undefined ? [] : rules.filter(({ scope }) => scope === 'shared');
    const own = rules.filter((rule) => !shared.includes(rule));
    this.#store?.configure(shared);
    this.#pool.configure(shared);
    this.authority.configure(own);
  }

  #exchange(worker: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]> {
    if (this.#epoch !== this.#parts.registry.epoch) this.#configure();
    this.#asks += asks.length;
    const pooled = asks.filter((ask) => this.#pool.has(ask.rule));
    if (pooled.length === 0) return this.authority.exchange(worker, asks);
    const own = this.authority.exchange(
      worker,
      asks.filter((ask) => !this.#pool.has(ask.rule)),
    );
    const shared = this.#pool.exchange(worker, pooled);
    const join = (grants: readonly LeaseGrant[]): LeaseGrant[] => {
      let i = 0;
      let j = 0;
      return asks.map((ask) => (pooled[i] === ask ? grants[i++] : own[j++]) as LeaseGrant);
    };
    return shared instanceof Promise ? shared.then(join) : join(shared);
  }
}
