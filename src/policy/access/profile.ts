/** What many keys have in common, kept once and compiled once. */
import { compileNetworks } from '../../http/network.ts';
import type { KeyFacts } from './document.ts';

/** Tenant, plan, permissions and networks of a key, ready to be used. */
export interface Profile {
  readonly tenant: string;
  readonly plan: string;
  readonly scopes: ReadonlySet<string>;
  readonly roles: ReadonlySet<string>;
  readonly models: readonly string[] | undefined;
  readonly priority: number | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Undefined: from everywhere. */
  readonly allows: ((address: string) => boolean) | undefined;
}

interface Shared {
  readonly key: string;
  readonly profile: Profile;
  uses: number;
}

/** Profiles by number, each kept while a key uses it. */
export class Profiles {
  readonly #all: (Shared | undefined)[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #free: number[] = [];

  /** The number of the profile that these facts have; used once more. */
  take(facts: ProfileFacts): number {
    const { tenant, plan, scopes, roles, models, networks, labels, trial, priority } = facts;
    const key = keyOf(facts);
    const known = this.#numbers.get(key);
    if (known !== undefined) {
      (this.#all[known] as Shared).uses++;
      return known;
    }
    const profile: Profile = {
      tenant,
      plan,
      scopes: new Set(scopes),
      roles: new Set(roles),
      models,
      priority,
      claims: trial ? { ...labels, trial } : labels,
      allows: compileNetworks(networks),
    };
    const number = this.#free.pop() ?? this.#all.length;
    this.#all[number] = { key, profile, uses: 1 };
    this.#numbers.set(key, number);
    return number;
  }

  /** One key less uses it. */
  drop(number: number): void {
    const shared = this.#all[number] as Shared;
    if (--shared.uses > 0) return;
    this.#numbers.delete(shared.key);
    this.#all[number] = undefined;
    this.#free.push(number);
  }

  get(number: number): Profile {
    return (this.#all[number] as Shared).profile;
  }
}

/** Equal for equal profiles only: no part may hold a control character. */
function keyOf({ tenant, plan, scopes, roles, models, networks, labels, trial, priority }: ProfileFacts): string {
  let key = `${tenant}\n${plan}\n${scopes.join(' ')}\n${trial ? 't' : ''}`;
  if (roles.length > 0) key += `\nr${roles.join(' ')}`;
  if (models !== undefined) key += `\nm${models.join('\t')}`;
  if (priority !== undefined) key += `\np${priority}`;
  if (networks.length > 0) key += `\nn${networks.join(' ')}`;
  // Their order is told by the document, so the same labels in another order are another profile; that costs memory only.
  for (const name in labels) key += `\nl${JSON.stringify([name, labels[name]])}`;
  return key;
}

type ProfileFacts = Omit<KeyFacts, 'id' | 'hash' | 'principal'>;
