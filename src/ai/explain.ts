/** The sentence that a person reads in an error, whatever the protocol. */
import type { GatehouseError } from '../kernel/error.ts';
import { formatDuration } from '../kernel/limit.ts';

/** The message with the rule that decided and when to try again, where these are known and not in it already. */
export function explain(error: GatehouseError): string {
  let text = error.message;
  const rule = error.rule !== undefined && !text.includes(error.rule);
  // What follows is a sentence of its own.
  if ((rule || error.retryAfterMs !== undefined) && !/[.!?]$/.test(text)) text += '.';
  if (rule) text += ` Rule: ${error.rule}.`;
  if (error.retryAfterMs !== undefined) text += ` Try again in ${formatDuration(Math.ceil(error.retryAfterMs))}.`;
  return text;
}
