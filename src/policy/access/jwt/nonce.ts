/**
 * Nonces for DPoP proofs (RFC 9449 §8): made from the time and a secret that all workers share, so none has to be
 * remembered. The one before is accepted as well.
 */
import { createHmac } from 'node:crypto';

/** Bytes of a nonce. */
const BYTES = 16;

/** The nonces of the time. */
export class Nonces {
  readonly #secret: Buffer;
  readonly #periodMs: number;
  #period = Number.NaN;
  #current = '';
  #previous = '';

  /** `periodMs`: how long one is given out. */
  constructor(secret: Buffer, periodMs: number) {
    this.#secret = secret;
    this.#periodMs = periodMs;
  }

  /** What is given out. `now`: wall clock. */
  current(now: number): string {
    this.#turn(now);
    return this.#current;
  }

  /** Whether a proof may have it. */
  accepts(nonce: unknown, now: number): boolean {
    this.#turn(now);
    return nonce === this.#current || nonce === this.#previous;
  }

  /** Whether a nonce that is accepted will soon not be. */
  ages(nonce: unknown, now: number): boolean {
    this.#turn(now);
    return nonce !== this.#current;
  }

  #turn(now: number): void {
    const period = Math.floor(now / this.#periodMs);
    if (period === this.#period) return;
    this.#period = period;
    this.#current = this.#of(period);
    this.#previous = this.#of(period - 1);
  }

  #of(period: number): string {
    return createHmac('sha256', this.#secret).update(`dpop nonce ${period}`).digest().toString('base64url', 0, BYTES);
  }
}
