/** The end of a worker's life. */
import type { Clock } from '../kernel/clock.ts';

/** How often it is looked whether all is quiet. */
const POLL_MS = 20;

/** Waits until `quiet` says yes, for at most `deadlineMs`; then calls `end` and resolves. */
export function untilQuiet(clock: Clock, deadlineMs: number, quiet: () => boolean, end: () => void): Promise<void> {
  const until = clock.now() + deadlineMs;
  return new Promise((resolve) => {
    const poll = clock.every(POLL_MS, () => {
      if (!quiet() && clock.now() < until) return;
      poll.cancel();
      end();
      resolve();
    });
  });
}
