/**
 * How important a request is. Route and plan give it, the lesser of both; `batch` where neither says anything. Tenant, key and
 * the client's own field may only take from that.
 */
import { USUAL_PRIORITY } from '../kernel/priority.ts';
import type { Passage, Step } from './passage.ts';
import type { SnapshotInput } from './snapshot.ts';

/** Refuses what is new and not important enough, while the worker has more than it can carry. */
export function admit(passage: Passage): Step {
  const { worker, head, exchange, snapshot } = passage;
  const found = passage.route as NonNullable<typeof passage.route>;
  // Until the caller is known, it is taken for the most important one that it could be.
  const most =
    found.priority ?? (found.config.access === undefined ? USUAL_PRIORITY : snapshot.permissions.topPriority);
  exchange.priority = Math.min(most, found.askedPriority(head));
  return worker.overload.admit(exchange.priority, worker.underWay);
}

/** The same, now that caller and route are known: what is less important than was thought may have to go after all. */
export function rank(passage: Passage): Step {
  const { exchange, permit, head, worker } = passage;
  const found = passage.route as NonNullable<typeof passage.route>;
  const given = Math.min(found.priority ?? Number.POSITIVE_INFINITY, permit?.priority ?? Number.POSITIVE_INFINITY);
  const priority = Math.min(
    given === Number.POSITIVE_INFINITY ? USUAL_PRIORITY : given,
    permit?.mostPriority ?? Number.POSITIVE_INFINITY,
    exchange.identity?.priority ?? Number.POSITIVE_INFINITY,
    found.askedPriority(head),
  );
  const before = exchange.priority;
  exchange.priority = priority;
  return priority < before ? worker.overload.admit(priority, worker.underWay) : undefined;
}

/** Every importance that a configuration gives to requests. */
export function prioritiesOf({ routes, plans = {} }: SnapshotInput['config']): number[] {
  const given = Object.values(plans).map(({ priority }) => priority ?? USUAL_PRIORITY);
  return [...routes.map(({ priority }) => priority ?? USUAL_PRIORITY), ...given];
}
