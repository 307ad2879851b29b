/** What the limits of a node (nodelimits.ts) are made of, and how a batch of questions is shared out among those who count. */
import type { Config } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Registry } from '../policy/authorize/authorize.ts';
import type { LeaseAsk, LeaseGrant, Roll, SharedStoreStatus } from '../policy/quota/quota.ts';
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

/** Grants leases. */
interface Part {
  exchange(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]>;
}

/** One batch, each question of which goes to the part with the number `of` says; grants in the same order. */
export function exchangeIn(
  parts: readonly Part[],
  of: readonly number[],
  holder: number,
  asks: readonly LeaseAsk[],
): LeaseGrant[] | Promise<LeaseGrant[]> {
  const answers = parts.map((part, i) => {
    const some = asks.filter((_, at) => of[at] === i);
    return some.length === 0 ? [] : part.exchange(holder, some);
  });
  const join = (grants: readonly (readonly LeaseGrant[])[]): LeaseGrant[] => {
    const next = parts.map(() => 0);
    return of.map((one) => grants[one]?.[(next[one] as number)++] as LeaseGrant);
  };
  return answers.some((one) => one instanceof Promise)
    ? Promise.all(answers).then(join)
    : join(answers as LeaseGrant[][]);
}
