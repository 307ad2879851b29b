/** Field lines of answers, with CRLF: those of the server as the client gets them, and our own. */
import { allowanceLines } from '../ai/ai.ts';
import type { FieldSection } from '../http/fields.ts';
import type { Clock } from '../kernel/clock.ts';
import type { GatehouseError } from '../kernel/error.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Cors } from '../policy/cors/cors.ts';
import type { Admission } from '../policy/quota/quota.ts';
import { type CompiledRoute, leavesOut } from '../route/route.ts';

/** Field line of the methods that pass, as far as this gateway is concerned (RFC 9110 §9.3.7). */
export const ALLOW = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';

/** A request that is answered. */
interface Answered {
  readonly exchange: Exchange;
  readonly admission: Admission | undefined;
  readonly worker: { readonly clock: Clock };
}

/** What stages have added for the answer, and what the caller has left of its limits; lines with CRLF. */
export function leftLines({ admission, exchange, worker }: Answered): string {
  const more = exchange.answerLines;
  if (admission === undefined) return more;
  const now = worker.clock.now();
  const [requests, tokens] = [admission.left('requests', now), admission.left('tokens', now)];
  const [inputTokens, outputTokens] = [admission.left('inputTokens', now), admission.left('outputTokens', now)];
  if ((requests ?? tokens ?? inputTokens ?? outputTokens) === undefined) return more;
  return more + allowanceLines(exchange.protocol, { requests, tokens, inputTokens, outputTokens }, worker.clock.wall());
}

/** A request that was routed, perhaps. */
interface Routed extends Answered {
  readonly route: CompiledRoute | undefined;
  readonly head: { get(lowerName: string): string | undefined };
  readonly snapshot: { readonly cors: readonly (Cors | undefined)[] };
}

/** What pages of other origins may do, where the route says something about them. */
export function corsLines({ route, snapshot, head }: Routed): string {
  const cors = route === undefined ? undefined : snapshot.cors[route.index];
  return cors === undefined ? '' : cors.lines(head.get('origin'));
}

/** The server's fields, without the kinds in `drop`, with what the route changes and what every answer has. */
export function answerLines(request: Routed, head: FieldSection, drop: number): string {
  const changes = request.route?.responseFields;
  const cors = corsLines(request);
  const left = cors + leftLines(request);
  if (changes === undefined && cors === '') return head.lines(drop) + left;
  // What the server says about pages of other origins it says to us.
  const goes = (name: string) => cors === '' || !name.startsWith('access-control-');
  if (changes === undefined) return head.linesWhere(drop, goes) + left;
  return head.linesWhere(drop, (name) => goes(name) && !leavesOut(changes, name)) + changes.lines + left;
}

/** What an error says beside its status and body. */
export function errorLines(error: GatehouseError): string {
  let lines = `Proxy-Status: gatehouse; error=${error.proxyError}; details="${error.code}"\r\n`;
  if (error.retryAfterMs !== undefined)
    lines += `Retry-After: ${Math.max(1, Math.ceil(error.retryAfterMs / 1000))}\r\n`;
  if (error.code === 'method_not_allowed') lines += ALLOW;
  for (const [name, value] of error.fields ?? []) lines += `${name}: ${value}\r\n`;
  return lines;
}
