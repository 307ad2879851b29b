/** Fields of every answer, beside its own. */
import { allowanceLines } from '../ai/ai.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Admission } from '../policy/quota/quota.ts';

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
