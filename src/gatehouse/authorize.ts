/**
 * Callers do what their tenant, plan, key and the route allow. What the head tells is asked before a byte of the body is held;
 * model, tools and tokens are asked when the body was read. Where nobody has made a rule, nothing is looked up.
 */
import { clampTokens, outputBound, PeekFault, peekRequest, toolNames } from '../ai/ai.ts';
import { GatehouseError } from '../kernel/error.ts';
import { LENGTH_NONE } from '../kernel/exchange.ts';
import type { BodyFacts, Permit } from '../policy/authorize/authorize.ts';
import type { Passage, Step } from './passage.ts';

type Found = NonNullable<Passage['route']>;

/** What the head tells. */
export function authorize(passage: Passage): Step {
  const { snapshot, exchange } = passage;
  const found = passage.route as Found;
  if (!snapshot.permissions.concerns(exchange.identity)) return undefined;
  if (!found.needsModel) return permitRoute(passage, found);
  // Its model decides on the route; but who may do nothing need not send a body.
  return snapshot.oneGate ? permitCaller(passage) : undefined;
}

/** What the body tells, and the head where the body had to be read first. */
export function permitModel(passage: Passage): Step {
  const { snapshot, exchange } = passage;
  const found = passage.route as Found;
  const { permissions } = snapshot;
  if (passage.permit === undefined && !permissions.concerns(exchange.identity)) return undefined;
  if (passage.permitted !== found || passage.permit?.identity !== exchange.identity) {
    const refused = permitRoute(passage, found);
    if (refused !== undefined) return refused;
  }
  const permit = passage.permit as Permit;
  if (!permissions.needsBody(permit, found.index) || !passage.judgesBody) return undefined;
  const body = bodyFacts(passage, permit, found);
  if (body instanceof GatehouseError) return body;
  const denial = permissions.checkBody(permit, found.index, exchange, body);
  if (denial !== undefined) return denial.error;
  return passage.body === undefined ? undefined : boundTokens(passage, permissions.maxTokens(permit, found.index));
}

/** Tenant and plan: sets the identity to the one with the plan in force. */
function permitCaller(passage: Passage): GatehouseError | undefined {
  const { snapshot, exchange } = passage;
  const { identity } = exchange;
  if (passage.permit !== undefined && passage.permit.identity === identity) return undefined;
  const permit = snapshot.permissions.permitOf(identity);
  passage.permit = permit;
  exchange.identity = permit.identity;
  return snapshot.permissions.admit(permit, exchange)?.error;
}

function permitRoute(passage: Passage, found: Found): GatehouseError | undefined {
  const { snapshot, exchange } = passage;
  const refused = permitCaller(passage);
  if (refused !== undefined) return refused;
  const permit = passage.permit as Permit;
  passage.permitted = found;
  const denial = snapshot.permissions.checkHead(permit, found.index, exchange);
  if (denial !== undefined) return denial.error;
  passage.judgesBody = snapshot.permissions.needsBody(permit, found.index) && readsModels(passage, found);
  if (!passage.judgesBody || exchange.requestLength !== LENGTH_NONE || passage.head.upgrade === '') return undefined;
  if (!snapshot.permissions.limitsModels(permit, found.index)) return undefined;
  return new GatehouseError(
    'forbidden',
    'You may use certain models only, and what is asked of one in a tunnel is not read here.',
    {
      rule: found.name,
    },
  );
}

/** Bodies on this route speak of models: the route says so, or its upstream, or what is called. */
function readsModels({ snapshot, operation }: Passage, { config, needsModel }: Found): boolean {
  if (config.upstream === undefined || needsModel || operation !== undefined) return true;
  return snapshot.upstreams.get(config.upstream)?.config.protocol !== 'http';
}

/** What rules ask of the body; undefined where there is none. */
function bodyFacts(passage: Passage, permit: Permit, found: Found): BodyFacts | undefined | GatehouseError {
  const { peek, body, snapshot } = passage;
  if (peek === undefined || body === undefined) return undefined;
  const { stream, maxTokens } = peek;
  if (!snapshot.permissions.needsTools(permit, found.index)) return { stream, maxTokens, tools: NO_TOOLS };
  const tools = toolNames(body);
  return tools instanceof PeekFault ? tools.error() : { stream, maxTokens, tools };
}

const NO_TOOLS: readonly string[] = [];

/** No more tokens than may be asked for: a request that asks for more, or sets no bound, gets that one. */
function boundTokens(passage: Passage, most: number): GatehouseError | undefined {
  const { body, peek, operation } = passage;
  if (most === Number.POSITIVE_INFINITY || body === undefined || peek === undefined) return undefined;
  if (!peek.weakBound && outputBound(operation, peek) !== undefined && (peek.maxTokens ?? 0) <= most) return undefined;
  const bounded = clampTokens(body, most, operation);
  if (bounded instanceof PeekFault) return bounded.error();
  if (bounded === body) return undefined;
  const again = peekRequest(bounded);
  if (again instanceof PeekFault) return again.error();
  passage.body = bounded;
  passage.peek = again;
  return undefined;
}
