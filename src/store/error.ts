/** What can go wrong with a store, as a closed set, each with a sentence that says who, what, why and what to do. */

/** Why a store cannot do what it was asked. */
export type StoreFault =
  /** Another process holds the write lock, and did not let go in time. Trying again is right. */
  | 'locked'
  /** File, folder or server takes no writes. Reading goes on. */
  | 'readonly'
  /** What is stored is damaged, or is not a store of this program. */
  | 'corrupt'
  /** No space is left. Nothing of the write was kept. */
  | 'full'
  /** Written by a newer version of this program. */
  | 'newer'
  /** The server cannot be reached, or the connection broke. */
  | 'unreachable'
  /** Path, folder, name or credentials are not right. */
  | 'denied'
  /** The package of the driver is not installed. */
  | 'missing'
  /** The caller asked for something that no store can do. */
  | 'invalid'
  /** The store was closed. */
  | 'closed'
  /** Anything else; the cause has more. */
  | 'failed';

/** Every fault of a store. `message` is for operators; it never holds a secret. */
export class StoreError extends Error {
  readonly fault: StoreFault;

  constructor(fault: StoreFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreError';
    this.fault = fault;
  }

  /** True when the same call may well succeed in a moment. */
  get passing(): boolean {
    return this.fault === 'locked' || this.fault === 'unreachable';
  }
}
