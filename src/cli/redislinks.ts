/** Connections to Redis by what the configuration wants of them: one for all, and one more where proofs have a server of their own. */
import type { Config } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { Redis } from '../store/redis.ts';
import { type RedisConfig, redisConfig } from '../store/redisconfig.ts';

/** See the file's head. */
export class RedisLinks {
  readonly #clock: Clock;
  readonly #notice: (notice: NoticeEvent) => void;
  /** By settings. */
  readonly #open = new Map<string, Redis>();
  #config: Config;
  #next: Config | undefined;

  constructor(clock: Clock, notice: (notice: NoticeEvent) => void, config: Config) {
    this.#clock = clock;
    this.#notice = notice;
    this.#config = config;
  }

  /** A configuration is about to be tried. */
  prepare(config: Config): void {
    this.#next = config;
  }

  /** It is in force, or was refused: what nobody wants any more is closed. */
  settle(accepted: boolean): void {
    if (accepted && this.#next !== undefined) this.#config = this.#next;
    this.#next = undefined;
    const wanted = new Set([this.#shared, this.#proofs].map((one) => JSON.stringify(one)));
    for (const [settings, redis] of this.#open) {
      if (wanted.has(settings)) continue;
      redis.close();
      this.#open.delete(settings);
    }
  }

  /** The one for limits; undefined where none is configured. */
  limits(): Redis | undefined {
    return this.#of(this.#shared, 'redis');
  }

  /** The one for proofs of possession: their own, or that of all. */
  proofs(): Redis | undefined {
    return this.#of(this.#proofs, this.#proofs === this.#shared ? 'redis' : 'access.dpop.redis');
  }

  close(): void {
    for (const redis of this.#open.values()) redis.close();
    this.#open.clear();
  }

  get #shared(): RedisConfig | undefined {
    return (this.#next ?? this.#config).redis;
  }

  get #proofs(): RedisConfig | undefined {
    const url = (this.#next ?? this.#config).access.dpop.redis;
    return url === undefined ? this.#shared : redisConfig.parse({ ...this.#shared, url });
  }

  #of(config: RedisConfig | undefined, setting: string): Redis | undefined {
    if (config === undefined) return undefined;
    const settings = JSON.stringify(config);
    let redis = this.#open.get(settings);
    if (redis === undefined) {
      redis = new Redis(config, this.#clock, this.#notice, setting);
      this.#open.set(settings, redis);
    }
    return redis;
  }
}
