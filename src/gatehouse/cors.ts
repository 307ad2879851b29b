/** Calls from web pages of other origins: preflights are answered here, and answers tell the browser who may read them. */
import { GatehouseError } from '../kernel/error.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';

/**
 * Answers a preflight (Fetch Standard §3.2.2) for a route that has `cors`, before anybody has to say who he is: browsers send
 * no credential with it. The route is that of the request which it announces.
 */
export function answerPreflight(passage: Passage): Step {
  const { head, snapshot, exchange } = passage;
  if (head.method !== 'OPTIONS' || !snapshot.cors.some((one) => one !== undefined)) return undefined;
  const origin = head.get('origin');
  const method = head.get('access-control-request-method');
  if (origin === undefined || method === undefined || !/^[A-Z]{1,32}$/.test(method)) return undefined;
  head.method = method;
  const found = snapshot.router.match(head);
  head.method = 'OPTIONS';
  const cors = found && snapshot.cors[found.index];
  if (found === undefined || cors === undefined) return undefined;
  exchange.route = found.name;
  const asked = { origin, method, headers: head.get('access-control-request-headers') ?? '' };
  const refusal = cors.refusal(asked);
  if (refusal !== '') return new GatehouseError('forbidden', refusal, { rule: found.name });
  passage.answerWhole(200, cors.preflightLines(asked), '');
  return ANSWERED;
}
