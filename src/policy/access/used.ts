/** Which keys are used, told now and then: the last use of a key is kept to the minute, and never written on a request's way. */
import type { Clock, Timer } from '../../kernel/clock.ts';

/** How often uses are told, in milliseconds. */
const TELL_MS = 60_000;
/** Most keys told at once; more in one minute are told by their next use. */
const MOST = 10_000;

/** Key id → wall clock of its last use. */
export type KeyUses = readonly (readonly [id: string, at: number])[];

/** Collects uses and tells them in one go, at most once a minute. */
export class UsedKeys {
  readonly #clock: Clock;
  readonly #tell: (uses: KeyUses) => Promise<unknown>;
  #uses = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(clock: Clock, tell: (uses: KeyUses) => Promise<unknown>) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** A key was used at this wall clock. */
  note(id: string, at: number): void {
    if (this.#uses.size >= MOST && !this.#uses.has(id)) return;
    this.#uses.set(id, at);
    this.#timer ??= this.#clock.after(TELL_MS, () => void this.flush());
  }

  /** Tells what has come together; resolves when it was told. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#uses.size === 0) return;
    const uses = [...this.#uses];
    this.#uses = new Map();
    await this.#tell(uses);
  }
}
