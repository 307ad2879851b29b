/** The sentence that a person reads in an error, whatever the protocol. */
import type { GatehouseError } from '../kernel/error.ts';
import { formatDuration } from '../kernel/limit.ts';

/** The message with the rule that decided and when to try again, where these are known and not in it already. */
export function explain(error: GatehouseError): string {
  let text = error.message;
  const more = (sentence: string) => {
    text += `${/[.!?]$/.test(text) ? '' : '.'} ${sentence}`;
  };
  if (error.toldRule !== undefined && !text.includes(error.toldRule)) more(`Rule: ${error.toldRule}.`);
  if (error.retryAfterMs !== undefined) more(`Try again in ${formatDuration(Math.ceil(error.retryAfterMs))}.`);
  return text;
}
