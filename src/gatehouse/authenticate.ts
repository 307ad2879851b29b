/**
 * Callers pass who are who the route asks for. Where the body's model still decides on the route, that has to be known
 * first; unless every route asks for the same, and then nobody's body is held before it is known whose it is.
 */
import type { Passage, Step } from './passage.ts';

type Found = NonNullable<Passage['route']>;

/** Who calls, told by the head. */
export function authenticate(passage: Passage): Step {
  const found = passage.route as Found;
  return found.needsModel && !passage.snapshot.oneGate ? undefined : pass(passage, found);
}

/** The same where the body had to be read first; nothing where it is known already. */
export function authenticateByModel(passage: Passage): Step {
  return pass(passage, passage.route as Found);
}

/** From here on the caller is known: what is taken back ends its request. */
export function attend(passage: Passage): Step {
  const { identity } = passage.exchange;
  // With the plan in force it is the same caller.
  if (identity === undefined || identity === passage.permit?.identity) return undefined;
  passage.caller = identity;
  if (passage.slot < 0) passage.worker.callers.add(passage);
  return undefined;
}

function pass(passage: Passage, found: Found): Step {
  const gate = passage.snapshot.gateOf(found);
  if (gate === passage.gate) return undefined;
  passage.gate = gate;
  return gate?.check(passage.exchange, passage.head);
}
