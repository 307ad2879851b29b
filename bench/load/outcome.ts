/** How a request of an open-loop run can end. Every request that was due ends in exactly one of these. */

/**
 * The outcomes: the `right` answer; a `wrong` one (another's, cut short, unreadable); `declined` with 503 or 429, which says
 * that nothing was done; `failed` with another status; the TCP connection `refused`; the connection `reset` or closed before
 * the answer had ended; no answer within the client's deadline (`timeout`).
 */
export const OUTCOMES = ['right', 'wrong', 'declined', 'failed', 'refused', 'reset', 'timeout'] as const;

/** One of {@link OUTCOMES}. */
export type Outcome = (typeof OUTCOMES)[number];

/** How often each outcome was met. */
export type Outcomes = Record<Outcome, number>;

/** Nothing counted yet. */
export function noOutcomes(): Outcomes {
  return { right: 0, wrong: 0, declined: 0, failed: 0, refused: 0, reset: 0, timeout: 0 };
}

/** Requests counted in all. */
export function total(outcomes: Outcomes): number {
  return OUTCOMES.reduce((sum, outcome) => sum + outcomes[outcome], 0);
}

/** The outcome of a whole answer whose status is not 200. */
export function outcomeOfStatus(status: number): Outcome {
  return status === 503 || status === 429 ? 'declined' : 'failed';
}

const BROKEN: Record<string, Outcome> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  'connection closed before the answer ended': 'reset',
  ETIMEDOUT: 'timeout',
};

/** Codes that say that the load generator itself has run out of something: not the proxy's doing. */
const OWN = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/**
 * The outcome of a request whose connection has failed.
 * @param what what `Watcher.failed` was told: a system error code or a sentence.
 * @returns undefined when the load generator itself is to blame.
 */
export function outcomeOfFailure(what: string): Outcome | undefined {
  return OWN.has(what) ? undefined : (BROKEN[what] ?? 'wrong');
}
