/** The plans and tenants of the store, as a worker knows them; every change makes another epoch. */
import type { PlanFacts, TenantFacts } from './config.ts';

/** See the file's head. Made at the start of a process; outlives configurations. */
export class Registry {
  /** Rises with every change: who has drawn a conclusion remembers it. */
  epoch = 0;
  /** There has been a plan: who names another one names none. */
  hadPlans = false;
  readonly plans = new Map<string, PlanFacts>();
  readonly tenants = new Map<string, TenantFacts>();

  /** There is something, or there has been. */
  get any(): boolean {
    return this.hadPlans || this.tenants.size > 0;
  }

  /** Takes what the directory tells of plans. */
  planConsumer() {
    return this.#consumer(this.plans);
  }

  /** Takes what the directory tells of tenants. */
  tenantConsumer() {
    return this.#consumer(this.tenants);
  }

  #consumer<T>(known: Map<string, T>) {
    let loaded: Set<string> | undefined;
    return {
      begin: () => {
        loaded = new Set();
      },
      put: (id: string, packed: unknown) => {
        known.set(id, packed as T);
        loaded?.add(id);
        this.hadPlans ||= this.plans.size > 0;
        this.epoch++;
      },
      remove: (id: string) => {
        loaded?.delete(id);
        known.delete(id);
        this.epoch++;
      },
      complete: () => {
        for (const id of known.keys()) if (loaded?.has(id) === false) known.delete(id);
        loaded = undefined;
        this.epoch++;
      },
    };
  }
}
