/** What the supervisor keeps beyond a restart: opens the store where something needs it, and tells workers what it holds. */
import { shownInHistory } from '../admin/admin.ts';
import type { DomainDocumentChange } from '../certificate/domain.ts';
import type { Config } from '../config/config.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Events, NoticeEvent } from '../kernel/event.ts';
import { KEY_USE_KIND, type KeyUses } from '../policy/access/access.ts';
import type { Registry } from '../policy/authorize/authorize.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { Directory, type DirectoryHealth, type Services } from '../supervisor/supervisor.ts';
import { followDomains } from './domains.ts';
import { directoryKinds } from './kinds.ts';
import { ledgerOn } from './ledgeron.ts';
import { LostKeys } from './lostkeys.ts';
import { keepSwept } from './sweep.ts';

/** What a `State` is made of. */
export interface StateParts {
  clock: Clock;
  events: Events;
  services: Services;
  notice(notice: NoticeEvent): void;
  /** Told of domains that come, change or go. */
  domains(changes: DomainDocumentChange[]): void;
  /** What workers know is as the store has it. */
  synced(): void;
  /** Told of the store's health. */
  health: DirectoryHealth & { opened(driver: string): void };
  /** Plans and tenants, as the store has them. */
  registry: Registry;
  /** Where the embedded store is when the configuration names no place. */
  folder: string;
}

/** The store, while something needs it, and the directory that is read from it. */
export class State {
  readonly #parts: StateParts;
  #store: Store | undefined;
  #directory: Directory | undefined;
  #opening: Promise<Store> | undefined;
  #sweeping: Timer | undefined;
  #unfollow: (() => void) | undefined;
  readonly #lost = new LostKeys();

  constructor(parts: StateParts) {
    this.#parts = parts;
    parts.services.provide('keyUses', (uses) => this.#noteUses(uses as KeyUses));
  }

  /** The store; undefined while nothing needs it. */
  get store(): Store | undefined {
    return this.#store;
  }

  /** Opens the store if a configuration needs it, and reads the directory; rejects when that cannot be. */
  async prepare(config: Config): Promise<void> {
    if (!needsStore(config)) return;
    try {
      const store = await this.open(config.store);
      if (this.#unfollow === undefined && servesDomains(config)) await this.#follow(store);
      this.#warnShadowed(config);
      this.#warnMissing(config);
      const { clock, notice } = this.#parts;
      // A million keys take a while, and nobody waits for it.
      void this.#lost.warn(store, config.access.pepper, clock.wall(), notice);
    } catch (error) {
      const why = `the store cannot be read: ${(error as Error).message}`;
      if (!standsAlone(config)) throw new Error(why);
      const message = `${why}; only the keys in the configuration hold, and usage waits in its journals`;
      this.#parts.notice({ level: 'warn', message });
    }
  }

  /** The store, opened where it is not open yet, for whoever manages what is in it. Rejects with a `StoreError`. */
  open(config: Config['store']): Promise<Store> {
    if (this.#store !== undefined) return Promise.resolve(this.#store);
    this.#opening ??= this.#open(config).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(config: Config['store']): Promise<Store> {
    const { clock, events, services, notice, folder, synced, health, registry } = this.#parts;
    const store = await openStore(config, folder, { clock, events, shown: shownInHistory });
    try {
      const directory = new Directory({
        source: store,
        kinds: directoryKinds(registry, this.#lost),
        services,
        clock,
        notice,
        synced,
        health,
      });
      health.opened(store.driver);
      await directory.start();
      this.#store = store;
      this.#directory = directory;
      this.#sweeping = keepSwept(store, config.keep, clock, notice);
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Of one name the configuration holds; who changes the other one wonders why nothing happens. */
  #warnShadowed({ plans, tenants }: Config): void {
    const { registry, notice } = this.#parts;
    const both = [
      ...Object.keys(plans)
        .filter((name) => registry.plans.has(name))
        .map((name) => `plan ${name}`),
      ...Object.keys(tenants)
        .filter((name) => registry.tenants.has(name))
        .map((name) => `tenant ${name}`),
    ];
    if (both.length === 0) return;
    const what = `in the configuration and in the store: ${both.slice(0, 10).join(', ')}${both.length > 10 ? ' and more' : ''}`;
    notice({ level: 'warn', message: `${what}; the configuration's hold, and changes of the others do nothing` });
  }

  /** Tenants whose plan is nowhere: their callers are refused. */
  #warnMissing({ plans, tenants }: Config): void {
    const { registry, notice } = this.#parts;
    const lost = [...registry.tenants]
      .filter(([id, { plan }]) => plan !== '' && !Object.hasOwn(tenants, id) && !this.#hasPlan(plans, plan))
      .map(([id, { plan }]) => `${id} (${plan})`);
    if (lost.length === 0) return;
    const which = `${lost.slice(0, 10).join(', ')}${lost.length > 10 ? ` and ${lost.length - 10} more` : ''}`;
    const message = `tenants in the store have a plan that is neither there nor in the configuration, and their callers are refused: ${which}; make the plan, or give them another`;
    notice({ level: 'warn', message });
  }

  #hasPlan(plans: Config['plans'], name: string): boolean {
    return Object.hasOwn(plans, name) || this.#parts.registry.plans.has(name);
  }

  async #follow(store: Store): Promise<void> {
    const { clock, domains, notice } = this.#parts;
    this.#unfollow = await followDomains(store, clock, domains, notice);
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => {});
    this.#sweeping?.cancel();
    this.#unfollow?.();
    this.#directory?.close();
    await this.#store?.close();
  }

  /** One batch of a worker; a store that is busy or gone costs the last use of some keys, no more. */
  async #noteUses(uses: KeyUses): Promise<void> {
    const puts = uses.map(([id, at]) => ({ op: 'put' as const, kind: KEY_USE_KIND, id, value: { lastUsedAt: at } }));
    if (puts.length > 0) await this.#store?.write(puts);
  }
}

function servesDomains({ listeners }: Config): boolean {
  return Object.values(listeners).some(({ tls }) => tls?.domains?.store === true);
}

function needsStore(config: Config): boolean {
  return (
    servesDomains(config) ||
    ledgerOn(config) ||
    config.routes.some(({ access, service }) => (access ?? service) !== undefined)
  );
}

/** All that is needed of it stands in the configuration too. */
function standsAlone({ routes, access, plans, tenants, ledger, budgets }: Config): boolean {
  if (ledger.required || budgets.length > 0) return false;
  if (routes.some(({ service }) => service !== undefined)) return false;
  // Whose plan is not known would have no limits.
  const lost = access.keys.some(
    ({ plan, tenant }) =>
      (plan !== '' && !Object.hasOwn(plans, plan)) || (tenant !== '' && !Object.hasOwn(tenants, tenant)),
  );
  if (lost && Object.keys({ ...plans, ...tenants }).length > 0) return false;
  const methods = new Set(routes.flatMap((route) => route.access?.anyOf ?? []));
  return !methods.has('jwt') && (!methods.has('apiKey') || access.keys.length > 0);
}
