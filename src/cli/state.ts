/** What the supervisor keeps beyond a restart: opens the store where something needs it, and tells workers what it holds. */
import type { Config } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Events, NoticeEvent } from '../kernel/event.ts';
import { KEY_USE_KIND, type KeyUses } from '../policy/access/access.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { Directory, type Services } from '../supervisor/supervisor.ts';
import { KINDS } from './kinds.ts';
import { ledgerOn } from './ledgeron.ts';

/** What a `State` is made of. */
export interface StateParts {
  clock: Clock;
  events: Events;
  services: Services;
  notice(notice: NoticeEvent): void;
  /** What workers know is as the store has it. */
  synced(): void;
  /** Where the embedded store is when the configuration names no place. */
  folder: string;
}

/** The store, while something needs it, and the directory that is read from it. */
export class State {
  readonly #parts: StateParts;
  #store: Store | undefined;
  #directory: Directory | undefined;

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
    if (this.#store !== undefined || !needsStore(config)) return;
    const { clock, events, services, notice, folder, synced } = this.#parts;
    let store: Store | undefined;
    try {
      store = await openStore(config.store, folder, { clock, events });
      const directory = new Directory({ source: store, kinds: KINDS, services, clock, notice, synced });
      await directory.start();
      this.#store = store;
      this.#directory = directory;
    } catch (error) {
      await store?.close();
      const why = `the store cannot be read: ${(error as Error).message}`;
      if (!standsAlone(config)) throw new Error(why);
      notice({
        level: 'warn',
        message: `${why}; only the keys in the configuration hold, and usage waits in its journals`,
      });
    }
  }

  async close(): Promise<void> {
    this.#directory?.close();
    await this.#store?.close();
  }

  /** One batch of a worker; a store that is busy or gone costs the last use of some keys, no more. */
  async #noteUses(uses: KeyUses): Promise<void> {
    const puts = uses.map(([id, at]) => ({ op: 'put' as const, kind: KEY_USE_KIND, id, value: { lastUsedAt: at } }));
    if (puts.length > 0) await this.#store?.write(puts);
  }
}

function needsStore(config: Config): boolean {
  return config.routes.some(({ access }) => access !== undefined) || ledgerOn(config);
}

/** All that is needed of it stands in the configuration too. */
function standsAlone({ routes, access, ledger, budgets }: Config): boolean {
  if (ledger.required || budgets.length > 0) return false;
  const methods = new Set(routes.flatMap((route) => route.access?.anyOf ?? []));
  return !methods.has('jwt') && (!methods.has('apiKey') || access.keys.length > 0);
}
