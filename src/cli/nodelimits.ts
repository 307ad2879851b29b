/** The limits of this node: one authority for all its workers, kept in step with the configuration. */
import type { Config } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import { allRules, type LeaseAsk, LocalAuthority } from '../policy/quota/quota.ts';
import type { Services } from '../supervisor/supervisor.ts';

/** Name of the service that workers ask for leases. */
export const QUOTA_SERVICE = 'quota';

/** Every limit of a configuration. */
const rulesOf = ({ limits, routes }: Config) => allRules({ limits, routes, plans: {} });

/** See the file's head. */
export class NodeLimits {
  readonly authority: LocalAuthority;
  #config: Config;
  #next: Config | undefined;

  constructor(clock: Clock, config: Config, services: Services) {
    this.authority = new LocalAuthority(clock);
    this.#config = config;
    this.authority.configure(rulesOf(config));
    services.provide(QUOTA_SERVICE, (asks, worker) => this.authority.exchange(worker, asks as LeaseAsk[]));
  }

  /** A configuration is about to be tried: workers may ask about its limits from now on, and still about the old ones. */
  prepare(config: Config): void {
    this.#next = config;
    this.authority.configure([...rulesOf(this.#config), ...rulesOf(config)]);
  }

  /** It is in force, or was refused. */
  settle(accepted: boolean): void {
    if (accepted && this.#next !== undefined) this.#config = this.#next;
    this.#next = undefined;
    this.authority.configure(rulesOf(this.#config));
  }

  /** A worker has gone for good. */
  gone(worker: number): void {
    this.authority.gone(worker);
  }
}
