/** How long a connection to a server may take for what it does: the exchange's deadline, the try's, and the wait of the moment. */
import type { Clock } from '../kernel/clock.ts';
import type { ErrorCode } from '../kernel/error.ts';
import type { Deadlines, Timed } from '../socket/deadlines.ts';
import type { UpstreamConfig } from './config.ts';
import { overdue, type Wait } from './overdue.ts';

/** Whose patience it is. */
export interface Patient {
  /** What it waits for; undefined: nothing, it idles and is to be closed. */
  readonly waitsFor: Wait | undefined;
  close(): void;
  /** It has waited too long. `message`: which wait, and the setting that limits it. */
  onOverdue(code: ErrorCode, message: string): void;
}

const NEVER = Number.POSITIVE_INFINITY;

/** See the file's head. Made once for a connection; setting a deadline is one assignment. */
export class Patience implements Timed {
  deadline: number;
  slot = -1;
  readonly #patient: Patient;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #timeouts: UpstreamConfig['timeouts'];
  #totalAt = NEVER;
  /** Until the head of the answer has come; after that Infinity. */
  #tryAt = NEVER;

  /** Waits for the connection. */
  constructor(patient: Patient, clock: Clock, deadlines: Deadlines, timeouts: UpstreamConfig['timeouts']) {
    this.#patient = patient;
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#timeouts = timeouts;
    this.deadline = clock.now() + timeouts.connect;
    deadlines.add(this);
  }

  /** An exchange begins. `connecting`: the wait for the connection goes on. */
  begin(totalAt: number, tryAt: number, connecting: boolean): void {
    this.#totalAt = totalAt;
    this.#tryAt = tryAt;
    this.deadline = Math.min(connecting ? this.deadline : NEVER, totalAt, tryAt);
  }

  /** Nothing is waited for but the end of the try and the exchange. */
  rest(): void {
    this.deadline = Math.min(this.#totalAt, this.#tryAt);
  }

  /** Waits for something to happen within `ms`. */
  arm(ms: number): void {
    this.deadline = Math.min(this.#clock.now() + ms, this.#totalAt, this.#tryAt);
  }

  /** The head of the answer has come. */
  answered(): void {
    this.#tryAt = NEVER;
  }

  /** The exchange has no end any more: it is a tunnel. */
  unbounded(): void {
    this.#totalAt = NEVER;
  }

  /** The exchange has ended. */
  done(): void {
    this.#totalAt = NEVER;
    this.deadline = NEVER;
  }

  /** Waits no more. */
  stop(): void {
    this.#deadlines.remove(this);
  }

  onDeadline(now: number): void {
    this.deadline = NEVER;
    const wait = this.#patient.waitsFor;
    if (wait === undefined) {
      this.#patient.close();
      return;
    }
    const late = now >= this.#totalAt ? 'total' : now >= this.#tryAt ? 'perTry' : wait;
    this.#patient.onOverdue(...overdue(late, this.#timeouts));
  }
}
