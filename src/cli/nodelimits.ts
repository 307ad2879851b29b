/** The limits of this node: one authority for all its workers, kept in step with the configuration. */
import type { Config } from '../config/config.ts';
import { limitsOf, storedRules } from '../gatehouse.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Registry } from '../policy/authorize/authorize.ts';
import { allRules, type LeaseAsk, LocalAuthority, type Rule } from '../policy/quota/quota.ts';
import type { Services } from '../supervisor/supervisor.ts';

/** Name of the service that workers ask for leases. */
export const QUOTA_SERVICE = 'quota';

/** Every limit of a configuration. */
const rulesOf = (config: Config) => allRules(limitsOf(config));

/** See the file's head. */
export class NodeLimits {
  readonly authority: LocalAuthority;
  /** Asked before anything is granted: what has to happen first, such as reading what was spent of a budget. */
  before: (asks: readonly LeaseAsk[]) => Promise<void> | undefined = () => undefined;
  /** Told of all rules whenever they change. */
  configured: (rules: readonly Rule[]) => void = () => {};
  #config: Config;
  #next: Config | undefined;
  readonly #registry: Registry;
  #epoch = -1;

  /** `registry`: plans and tenants of the store. */
  constructor(clock: Clock, config: Config, services: Services, registry: Registry) {
    this.authority = new LocalAuthority(clock);
    this.#config = config;
    this.#registry = registry;
    this.#configure();
    services.provide(QUOTA_SERVICE, (payload, worker) => {
      if (this.#epoch !== this.#registry.epoch) this.#configure();
      const asks = payload as LeaseAsk[];
      const first = this.before(asks);
      return first === undefined
        ? this.authority.exchange(worker, asks)
        : first.then(() => this.authority.exchange(worker, asks));
    });
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

  /** Every rule in force. */
  get rules(): Rule[] {
    return [...storedRules(this.#registry), ...rulesOf(this.#config)];
  }

  /** Of a name that comes twice the later one holds: the configuration before the store, the next before the one in force. */
  #configure(): void {
    this.#epoch = this.#registry.epoch;
    const next = this.#next === undefined ? [] : rulesOf(this.#next);
    const rules = [...storedRules(this.#registry), ...rulesOf(this.#config), ...next];
    this.authority.configure(rules);
    this.configured(rules);
  }

  /** A worker has gone for good. */
  gone(worker: number): void {
    this.authority.gone(worker);
  }
}
