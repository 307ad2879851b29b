/** All workers of a gateway: they take connections from one queue of the kernel, and one that is busy takes none for a while. */
import { setTimeout } from 'node:timers/promises';

/** Characters of a request's id that are those of its worker, which draws them at its start. */
const WORKER_LENGTH = 12;
const AT_ONCE = 16;

/** Which worker a request's id is from, where the gateway has made it. */
export function workerOf(id: string): string {
  if (id.length <= WORKER_LENGTH) throw new Error(`no worker of this gateway has made the request id "${id}"`);
  return id.slice(0, WORKER_LENGTH);
}

/** What is looked at of an answer. */
interface Answer {
  readonly status: number;
  /** Its `x-request-id`, which the gateway must have made. */
  readonly id: string;
}

/** The status and the request's id of an answer that `fetch` gave. */
export const answerOf = ({ status, headers }: Response): Answer => ({
  status,
  id: headers.get('x-request-id') ?? '',
});

/**
 * Sends requests, 16 at once, until so many workers have answered; the statuses that came, each once. `send`: one request, on a
 * connection of its own.
 */
export async function askAll(send: () => Promise<Answer>, workers = 2): Promise<number[]> {
  const statuses = new Set<number>();
  for (const met = new Set<string>(); ; await setTimeout(10)) {
    for (const { status, id } of await Promise.all(Array.from({ length: AT_ONCE }, send))) {
      statuses.add(status);
      met.add(workerOf(id));
    }
    if (met.size >= workers) return [...statuses];
  }
}

/**
 * Until all workers give this status and no other. For as long as the test has time: no deadline of its own would be right on
 * every machine. Resolves with the milliseconds that it took.
 */
export async function untilAll(ask: () => Promise<readonly number[]>, status: number): Promise<number> {
  const since = performance.now();
  while ((await ask()).some((one) => one !== status)) await setTimeout(10);
  return Math.round(performance.now() - since);
}

/**
 * Sends until the answer is another than 503: a worker that asks the supervisor and hears nothing in time says so. `send` makes
 * a new request each time, with a proof of its own where there is one.
 */
export async function decided<T extends { readonly status: number }>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    const answer = await send();
    if (answer.status !== 503) return answer;
  }
}
