/**
 * A client has sent FIN. It may have half-closed and still read, or it may have gone: TCP says the same for both (RFC 9293
 * §3.6), and only writing tells, for a client that has gone answers it with a reset. So something harmless is written:
 * before the head an interim response (RFC 9110 §15.2), in a chunked answer a leading zero of the next chunk's size (RFC 9112
 * §7.1). Where neither may be written, the next bytes of the answer tell.
 */
import type { Host } from './host.ts';
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

  constructor(response: ResponseWriter, { runtime }: Host) {
    this.#response = response;
    this.#goneAt = runtime.clock.now() + runtime.timeouts.halfClose;
    this.until = this.#goneAt;
  }

  /** Looks whether somebody reads. False: the client counts as gone; else the host looks again at its deadline. */
  look(host: Host): boolean {
    const now = host.runtime.clock.now();
    if (now >= this.#goneAt) return false;
    // What waits in memory tells as well as a probe, and its deadline stands already.
    if (host.wire.pending > 0) return true;
    const again = this.#probes < PROBES && this.#response.probe() && ++this.#probes < PROBES;
    this.until = again ? Math.min(now + PROBE_MS, this.#goneAt) : this.#goneAt;
    host.deadline = this.until;
    return true;
  }
}
