/**
 * How many connections a worker takes, all its listeners together. When it is full, or nearly out of file descriptors, it
 * stops accepting: who comes then waits in the kernel, or is taken by another worker, and is served when there is room.
 * Each connection is reckoned as two descriptors, for it may need one to a server.
 */
import type { Clock, Timer } from '../kernel/clock.ts';

/** File descriptors of this process. */
export interface Descriptors {
  /** As many as it may have. */
  readonly limit: number;
  /** In use, as a reckoning. */
  used(): number;
}

/** A listener, as far as this is concerned. */
export interface Pausable {
  /** Connections, those in their TLS handshake included. */
  readonly sockets: number;
  readonly paused: boolean;
  /** Stops accepting until it is resumed. False: it cannot. */
  pause(): boolean;
  /** Accepts again, if its own limit allows it. */
  resume(): void;
  /** Closes up to `most` connections that wait for their next request and have done so for a while. */
  relieve(most: number): void;
}

/** Between two looks. */
const LOOK_MS = 100;
/** Descriptors kept back for files, pipes and name look-ups. */
const RESERVE = 32;
/** After the kernel itself has refused, nothing is accepted for this long. */
const HOLD_MS = 1000;
/** Idle connections closed at each look while there is no room. */
const RELIEF = 32;

/** See the file's head. */
export class Intake {
  readonly #clock: Clock;
  readonly #descriptors: Descriptors | undefined;
  readonly #listeners = new Set<Pausable>();
  #limit = Number.POSITIVE_INFINITY;
  /** Connections that may still be accepted before the next look. */
  #room = Number.POSITIVE_INFINITY;
  #heldUntil = 0;
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock, descriptors: Descriptors | undefined) {
    this.#clock = clock;
    this.#descriptors = descriptors;
  }

  /** Connections that all listeners may have. */
  set limit(most: number) {
    this.#limit = most;
    this.#measure();
  }

  add(listener: Pausable): void {
    this.#listeners.add(listener);
    this.#measure();
    this.#timer ??= this.#clock.every(LOOK_MS, () => this.#look());
  }

  remove(listener: Pausable): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** A connection has come. False: there is no room for it, and it cannot be made to wait. */
  take(): boolean {
    if (this.#room >= 1) {
      if (--this.#room < 1) this.#pause();
      return true;
    }
    // One more may have been on its way when accepting stopped; it is served.
    return this.#pause();
  }

  /** The kernel would not give a descriptor. */
  exhausted(): void {
    this.#heldUntil = this.#clock.now() + HOLD_MS;
    this.#room = 0;
    this.#pause();
  }

  /** Whether a paused listener may accept again; a listener asks when it has room itself. */
  get open(): boolean {
    return this.#room >= 1 && this.#clock.now() >= this.#heldUntil;
  }

  /** True when every listener waits. */
  #pause(): boolean {
    let all = true;
    for (const listener of this.#listeners) if (!listener.pause()) all = false;
    return all;
  }

  #measure(): void {
    let open = 0;
    for (const listener of this.#listeners) open += listener.sockets;
    this.#room = this.#limit - open;
    if (this.#descriptors === undefined) return;
    const { limit, used } = this.#descriptors;
    this.#room = Math.min(this.#room, Math.floor((limit - RESERVE - used()) / 2));
  }

  #look(): void {
    this.#measure();
    for (const listener of this.#listeners) {
      if (!listener.paused) continue;
      // A little room before the gates open again, or they would swing with every connection.
      if (this.open && this.#room >= Math.min(8, this.#limit / 2)) listener.resume();
      if (listener.paused) listener.relieve(RELIEF);
    }
  }
}
