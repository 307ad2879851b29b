/** The sentence that a person reads in an error, whatever the protocol. */
import type { GatehouseError } from '../kernel/error.ts';

/** The message with the rule that decided and when to try again, where these are known and not in it already. */
export function explain(error: GatehouseError): string {
  let text = error.message;
  const more = (sentence: string) => {
    text += `${/[.!?]$/.test(text) ? '' : '.'} ${sentence}`;
  };
  if (error.toldRule !== undefined && !text.includes(error.toldRule)) more(`Rule: ${error.toldRule}.`);
  if (error.retryAfterMs !== undefined) more(`Try again in ${sayWait(Math.ceil(error.retryAfterMs))}.`);
  return text;
}

/** As people say it: rounded up, as no exact wait is worth much. */
function sayWait(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`;
}
