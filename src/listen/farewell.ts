/**
 * A client has sent FIN. It may have half-closed and still read, or it may have gone: TCP says the same for both (RFC 9293
 * §3.6), and only writing tells, for a client that has gone answers it with a reset. So something harmless is written:
 * before the head an interim response (RFC 9110 §15.2), in a chunked answer a leading zero of the next chunk's size (RFC 9112
 * §7.1). Where neither may be written, the next bytes of the answer tell.
 */
import type { ResponseWriter } from './response.ts';

/** Between two probes (milliseconds): the first provokes the reset, the second meets it. */
const PROBE_MS = 25;
const PROBES = 2;

/** See the file's head. Made only when a FIN has come before the end of an answer. */
export class Farewell {
  /** When to look again (monotonic milliseconds). */
  until: number;
  /** When the client counts as gone whatever it does. */
  readonly #goneAt: number;
  readonly #response: ResponseWriter;
  #probes = 0;

  /** `patienceMs`: how long the answer goes on behind a FIN. */
  constructor(response: ResponseWriter, now: number, patienceMs: number) {
    this.#response = response;
    this.#goneAt = now + patienceMs;
    this.until = this.#goneAt;
  }

  /** Looks whether somebody reads. False: the client counts as gone; else look again at `until`. */
  look(now: number): boolean {
    if (now >= this.#goneAt) return false;
    const again = this.#probes < PROBES && this.#response.probe() && ++this.#probes < PROBES;
    this.until = again ? Math.min(now + PROBE_MS, this.#goneAt) : this.#goneAt;
    return true;
  }
}
