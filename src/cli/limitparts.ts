/** What the limits of a node (nodelimits.ts) are made of. */
import type { Config } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Registry } from '../policy/authorize/authorize.ts';
import type { Roll, SharedStoreStatus } from '../policy/quota/quota.ts';
import type { Redis } from '../store/redis.ts';
import type { Services } from '../supervisor/supervisor.ts';

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
  /** Where limits of an hour and more are written down. */
  folder: string;
  /** Names of nodes that share limits. */
  roll: Roll;
}

/** For metrics. */
export interface LimitsStatus {
  keys: number;
  evicted: number;
  asks: number;
  store: Readonly<SharedStoreStatus> | undefined;
}
