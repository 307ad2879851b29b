/** What a store is opened with besides its settings. */
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';

/** Options of every driver. */
export interface StoreOptions {
  readonly clock: Clock;
  /** Where faults and notices (a lost connection, a damaged file) are told. */
  readonly events?: Events | undefined;
  /** A document's value → what the history may show of it: without its secrets. The value itself by default. */
  readonly shown?: ((kind: string, value: unknown) => unknown) | undefined;
}
