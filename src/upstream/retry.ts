/** Whether and when to try again: pure decisions over an answer, a count and the settings. */
import type { Fields } from '../kernel/exchange.ts';

/** Statuses that say that nothing was done: sending again does no harm, whatever the method (RFC 9110 §15.6.4, RFC 6585 §4). */
const NOT_DONE: ReadonlySet<number> = new Set([429, 503]);

/** Pauses, in milliseconds. */
export interface Backoff {
  readonly base: number;
  readonly max: number;
}

/**
 * Whether an answer is thrown away for another try. Undefined: it is the client's; else how long the server asks to wait, in
 * milliseconds, 0 when it does not say. `statuses`: what the settings name; `idempotent`: sending twice does no harm;
 * `wall`: now, in milliseconds since 1970. `x-should-retry` has the last word: a server that knows says `false` or `true`.
 */
export function answerRetry(
  status: number,
  fields: Pick<Fields, 'get'>,
  statuses: ReadonlySet<number>,
  idempotent: boolean,
  wall: number,
): number | undefined {
  const said = status < 400 ? undefined : fields.get('x-should-retry')?.toLowerCase();
  if (said === 'false') return undefined;
  if (said !== 'true' && !(statuses.has(status) && (idempotent || NOT_DONE.has(status)))) return undefined;
  return retryAfter(fields, wall);
}

/** How long a server asks to wait, in milliseconds (`retry-after-ms`, or Retry-After of RFC 9110 §10.2.3); 0: it does not say. */
export function retryAfter(fields: Pick<Fields, 'get'>, wall: number): number {
  const exact = fields.get('retry-after-ms');
  if (exact !== undefined && /^\d{1,9}(\.\d{1,3})?$/.test(exact)) return Number(exact);
  const given = fields.get('retry-after');
  if (given === undefined) return 0;
  if (/^\d{1,9}$/.test(given)) return Number(given) * 1000;
  const date = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/.test(given) ? Date.parse(given) : Number.NaN;
  return Number.isNaN(date) ? 0 : Math.max(0, date - wall);
}

/**
 * The pause before a retry, in milliseconds; undefined: it must not be made. `retry`: 1 for the first one; `fresh`: the
 * server that it goes to has not answered this request yet; `asked`: how long the server asked to wait; `random`: in [0, 1).
 *
 * The first retry goes elsewhere at once, as HAProxy's redispatch does: the other server has done nothing to be spared.
 * Else the pause is drawn from 0 to base × 2^(retry − 1) (full jitter, as Envoy's retry back-off), and never ends before
 * the time the same server asked for; a longer time than `max` is not waited for.
 */
export function retryPause(
  retry: number,
  fresh: boolean,
  asked: number,
  { base, max }: Backoff,
  random: number,
): number | undefined {
  if (fresh && retry <= 1) return 0;
  const drawn = random * Math.min(max, base * 2 ** Math.min(retry - 1, 30));
  if (fresh) return drawn;
  return asked > max ? undefined : Math.max(asked, drawn);
}
