/** A connection without TLS whose first bytes tell which version of HTTP is spoken: HTTP/2 by prior knowledge (RFC 9113 §3.3). */
import { PREFACE } from '../../http/http2/frame.ts';
import type { Timed } from '../../socket/deadlines.ts';
import type { WireOwner } from '../../socket/owner.ts';
import type { Wire } from '../../socket/wire.ts';
import type { Drainable, ListenerRuntime } from '../runtime.ts';

/** Enough to tell: no method begins like this. */
const TELLING = 'PRI * HTTP/2'.length;

/** Waits for the first bytes, then leaves the wire to whom they are meant for. */
export class Sniffer implements WireOwner, Timed, Drainable {
  deadline: number;
  slot = -1;
  readonly idleSince = Number.POSITIVE_INFINITY;
  readonly #wire: Wire;
  readonly #runtime: ListenerRuntime;
  readonly #chosen: (sniffer: Sniffer, http2: boolean) => WireOwner;
  #seen = 0;
  #over = false;

  /** `chosen`: makes the owner that the first bytes are handed to. */
  constructor(wire: Wire, runtime: ListenerRuntime, chosen: (sniffer: Sniffer, http2: boolean) => WireOwner) {
    this.#wire = wire;
    this.#runtime = runtime;
    this.#chosen = chosen;
    this.deadline = runtime.clock.now() + runtime.timeouts.head;
    wire.owner = this;
    runtime.deadlines.add(this);
    wire.resume();
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    const already = this.#seen;
    let same = true;
    for (let at = start; same && this.#seen < TELLING && at < end; at++) {
      same = buffer[at] === PREFACE[this.#seen];
      if (same) this.#seen++;
    }
    if (same && this.#seen < TELLING) return;
    this.#leave();
    const owner = this.#chosen(this, same);
    if (already > 0) owner.onBytes(Buffer.from(PREFACE.subarray(0, already)), 0, already);
    owner.onBytes(buffer, start, end);
  }

  #leave(): void {
    this.#over = true;
    this.#runtime.deadlines.remove(this);
  }

  onEof(): void {
    this.#close();
  }

  onDrain(): void {}

  onBroken(): void {
    this.#close();
  }

  onDeadline(): void {
    this.#close();
  }

  drain(): void {
    this.#close();
  }

  destroy(): void {
    this.#close();
  }

  #close(): void {
    if (this.#over) return;
    this.#leave();
    this.#wire.destroy();
    this.#runtime.onClosed(this);
  }
}
