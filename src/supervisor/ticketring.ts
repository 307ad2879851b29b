/**
 * The keys that seal session tickets (RFC 5077, RFC 8446 §4.6.1): made here, rotated, and handed on to the program that takes
 * over at an upgrade, as sockets are, so that no client pays a full handshake for it. Never written down.
 */
import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../kernel/clock.ts';

/** A key made anew this often, and so many kept: the longest lifetime that the settings allow fits twice. */
const ROTATE_MS = 6 * 3_600_000;
const MOST = 4;
const KEY_BYTES = 48;

/** A key on its way to another process: in base64, and how long ago it was made in milliseconds. */
export interface HandedKey {
  readonly key: string;
  readonly ageMs: number;
}

interface Made {
  readonly key: Buffer;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** See the file's head. */
export class TicketRing {
  readonly #clock: Clock;
  readonly #changed: () => void;
  #made: Made[];
  #timer: Timer | undefined;

  /** `changed`: there are other keys now. */
  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
    this.#made = [this.#fresh()];
  }

  /** The keys in force, newest first. */
  get keys(): Buffer[] {
    return this.#made.map(({ key }) => key);
  }

  /** Rotates from now on, at once where that is overdue. */
  start(): void {
    this.stop();
    this.#next();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** For the program that takes over. */
  handOver(): HandedKey[] {
    const now = this.#clock.now();
    return this.#made.map(({ key, at }) => ({ key: key.toString('base64'), ageMs: now - at }));
  }

  /** Goes on with the keys of the program before this one; what is no key, or too old to open anything, is left out. */
  takeOver(handed: readonly HandedKey[]): void {
    const now = this.#clock.now();
    const good: Made[] = [];
    for (const { key, ageMs } of handed.slice(0, MOST)) {
      const bytes = Buffer.from(String(key), 'base64');
      if (bytes.length === KEY_BYTES && ageMs >= 0 && ageMs < MOST * ROTATE_MS)
        good.push({ key: bytes, at: now - ageMs });
    }
    if (good.length === 0) return;
    this.#made = good.sort((a, b) => b.at - a.at);
    this.#changed();
  }

  #fresh(): Made {
    return { key: randomBytes(KEY_BYTES), at: this.#clock.now() };
  }

  #next(): void {
    const left = (this.#made[0]?.at ?? 0) + ROTATE_MS - this.#clock.now();
    if (left > 0) {
      this.#timer = this.#clock.after(left, () => this.#next());
      return;
    }
    this.#made = [this.#fresh(), ...this.#made].slice(0, MOST);
    this.#changed();
    this.#next();
  }
}
