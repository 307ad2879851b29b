/** Trials beside the supervisor: made when a configuration offers them, and asked by workers. */
import { randomBytes } from 'node:crypto';
import { type Config, planDocument, tenantDocument } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import { createKey, KEY_KIND, lookupsOf } from '../policy/access/access.ts';
import { beginTrial } from '../policy/authorize/authorize.ts';
import { PLAN_KIND, TENANT_KIND } from '../policy/authorize/config.ts';
import { type ServiceRequest, Signup, type Trial } from '../policy/token/token.ts';
import type { Store } from '../store/store.ts';
import type { Services } from '../supervisor/supervisor.ts';

/** Name of the service; routes name it so. */
const SERVICE = 'signup';

/** What it is made of. */
export interface SignupDeskParts {
  clock: Clock;
  services: Services;
  /** The store, as it is at the time. */
  store: () => Store | undefined;
  /** A request was answered. */
  answered(endpoint: string, result: string): void;
}

/** See the file's head. */
export class SignupDesk {
  readonly #parts: SignupDeskParts;
  #config: Pick<Config, 'signup' | 'access' | 'plans'> | undefined;
  #signup: Signup | undefined;

  constructor(parts: SignupDeskParts) {
    this.#parts = parts;
    parts.services.provide(SERVICE, async (request) => {
      if (this.#signup === undefined) throw new Error('no configuration in force offers trials');
      return this.#signup.answer(request as ServiceRequest);
    });
  }

  /** Settings are to be tried, or are in force. */
  configure(config: Pick<Config, 'signup' | 'access' | 'plans'>): void {
    const store = this.#parts.store();
    const { signup, access } = config;
    this.#config = config;
    if (signup === undefined || store === undefined) this.#signup = undefined;
    else if (this.#signup !== undefined) this.#signup.configure(signup, access.pepper);
    else {
      const { clock, answered } = this.#parts;
      const begin = (plan: string, scopes: readonly string[], email: string, name: string) =>
        this.#begin(store, plan, scopes, email, name);
      const parts = { clock, store, begin, answered: (result: string) => answered(SERVICE, result) };
      this.#signup = new Signup(parts, signup, access.pepper);
    }
  }

  async #begin(store: Store, plan: string, scopes: readonly string[], email: string, name: string): Promise<Trial> {
    const { plans = {}, access } = this.#config ?? {};
    const now = this.#parts.clock.wall();
    const kept = plans[plan] ?? planDocument.safeParse((await store.get(PLAN_KIND, plan))?.value).data;
    if (kept?.trialPeriod === undefined)
      throw new Error(`plan "${plan}" has no trialPeriod, or does not exist: nobody can sign up`);
    const id = `trial-${randomBytes(9).toString('hex')}`;
    const trial = beginTrial({
      ...{ tenant: id, plan, principal: id, trialPeriodMs: kept.trialPeriod, now },
      ...{ name: name === '' ? email : name, labels: { email } },
    });
    const made = createKey({ ...trial.key, scopes: [...scopes] }, [], { pepper: access?.pepper[0] ?? '', now });
    if ('refused' in made) throw new Error(made.refused);
    const { key, document } = made;
    tenantDocument.parse(trial.tenant);
    return {
      ...{ tenant: id, key, endsAt: trial.tenant.trialEndsAt },
      writes: [
        { op: 'put', kind: TENANT_KIND, id, value: trial.tenant, expect: 0 },
        {
          ...{ op: 'put', kind: KEY_KIND, id: document.id, value: document, expect: 0, parent: id },
          ...{ lookups: lookupsOf(document), expiresAt: undefined },
        },
      ],
    };
  }
}
