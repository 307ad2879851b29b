/**
 * What a peer may do that costs us more than it costs the peer: counted over a while, on each connection. What moves the
 * other way gives some of it back, for who carries much also says much.
 */

/** Most of each kind within `per`. */
export interface FloodLimits {
  /** Streams that the peer resets, or that its mistakes make us reset (CVE-2023-44487, CVE-2025-8671). */
  readonly resets: number;
  /** PING, SETTINGS, PRIORITY, WINDOW_UPDATE and frames of types that are not known, each. */
  readonly control: number;
  /** Frames that carry nothing and end nothing. */
  readonly empty: number;
  /** Frames that continue one header block. */
  readonly continuations: number;
  /** Milliseconds. */
  readonly per: number;
}

/** What is counted. */
export const COUNTED = { RESET: 0, PING: 1, SETTINGS: 2, PRIORITY: 3, WINDOW: 4, UNKNOWN: 5, EMPTY: 6 } as const;

/** Name of the fault for each of what is counted. */
export const FLOOD_KINDS = [
  'h2_rapid_reset',
  'h2_ping_flood',
  'h2_settings_flood',
  'h2_priority_flood',
  'h2_window_update_flood',
  'h2_unknown_frame_flood',
  'h2_empty_frame_flood',
] as const;

/** WINDOW_UPDATE frames that a DATA frame may bring about: of stream and connection, some peers with each half of it. */
const UPDATES_PER_DATA = 4;

/** The counts of one connection. */
export class FloodBudget {
  readonly #limits: FloodLimits;
  readonly #counts = new Int32Array(FLOOD_KINDS.length);
  #until = 0;

  constructor(limits: FloodLimits) {
    this.#limits = limits;
  }

  /** Counts one at `now` (monotonic milliseconds). True: that was too many. */
  spend(what: number, now: number): boolean {
    if (now >= this.#until) {
      this.#until = now + this.#limits.per;
      this.#counts.fill(0);
    }
    const count = (this.#counts[what] as number) + 1;
    this.#counts[what] = count;
    const { resets, control, empty } = this.#limits;
    return count > (what === COUNTED.RESET ? resets : what === COUNTED.EMPTY ? empty : control);
  }

  /** A DATA frame of some size has passed. */
  moved(): void {
    const counts = this.#counts;
    counts[COUNTED.PING] = Math.max(0, (counts[COUNTED.PING] as number) - 1);
    counts[COUNTED.WINDOW] = Math.max(0, (counts[COUNTED.WINDOW] as number) - UPDATES_PER_DATA);
  }
}
