/** Names that documents bear, of plans and listeners: what is not there is refused when it is written, not when somebody calls. */
import { PLAN_KIND } from '../../policy/authorize/authorize.ts';
import type { Answer } from '../answer.ts';
import type { Surroundings } from './resource.ts';
import { wrong } from './trouble.ts';

/** Names that are told at most. */
const TOLD = 20;

/** Refuses a plan that is neither in the configuration nor in the store; callers with such a plan are refused. `before`: as it was. */
export async function knownPlan(
  plan: unknown,
  before: unknown,
  { store, names }: Pick<Surroundings, 'store' | 'names'>,
): Promise<Answer | undefined> {
  if (typeof plan !== 'string' || plan === '' || plan === before || names === undefined) return undefined;
  if (names.plans.includes(plan) || (await store.get(PLAN_KIND, plan)) !== undefined) return undefined;
  const { documents } = await store.list(PLAN_KIND, { limit: TOLD });
  const known = [...names.plans, ...documents.map(({ id }) => id)].slice(0, TOLD).join(', ');
  const hint = known === '' ? 'there are none yet' : `there are ${known}`;
  const message = `there is no plan ${JSON.stringify(plan)}, so its callers would be refused: make it first, or name another (${hint})`;
  return wrong([{ path: 'plan', message }]);
}

/** Refuses a listener that is not in the configuration, or that serves no domains of the store. */
export function knownListener(
  listener: string,
  before: string,
  { names }: Pick<Surroundings, 'names'>,
): Answer | undefined {
  if (listener === '' || listener === before || names === undefined || names.serving.includes(listener))
    return undefined;
  const serving = names.serving.length === 0 ? 'none does yet' : `${names.serving.join(', ')} do`;
  const message = names.listeners.includes(listener)
    ? `listener ${listener} serves no domains of the store: set listeners.${listener}.tls.domains.store (${serving})`
    : `there is no listener ${JSON.stringify(listener)}: name one that serves domains of the store (${serving}), or none for all of them`;
  return wrong([{ path: 'listener', message }]);
}
