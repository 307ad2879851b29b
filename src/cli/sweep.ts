/** Has the store forget what is too old, now and then. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { KeepConfig } from '../store/config.ts';
import type { Store } from '../store/store.ts';

/** Between two sweeps: what has expired is told to workers by its own time, and is only tidied here. */
const PERIOD_MS = 600_000;
const DAY_MS = 86_400_000;

/** Sweeps from now on, until the timer is cancelled. */
export function keepSwept(store: Store, keep: KeepConfig, clock: Clock, notice: (notice: NoticeEvent) => void): Timer {
  let failed = false;
  const before = (days: number) => (days === 0 ? undefined : Math.round(clock.wall() - days * DAY_MS));
  return clock.every(PERIOD_MS, () => {
    const ages = {
      tombstonesBefore: before(keep.deletions),
      historyBefore: before(keep.history),
      ledgerBefore: before(keep.ledger),
    };
    store.sweep(ages).then(
      () => {
        failed = false;
      },
      (error: Error) => {
        if (!failed) notice({ level: 'warn', message: `what is old stays in the store for now: ${error.message}` });
        failed = true;
      },
    );
  });
}
