/**
 * Holding a request body until it is complete, for what must see all of it before it travels. One body is bounded by the
 * limits of listener and route, all that a worker holds by the listener's `limits.held`.
 */
import { GatehouseError } from '../kernel/error.ts';
import type { InboundSink } from '../kernel/exchange.ts';
import type { Passage } from './passage.ts';

function heldLimit({ exchange, snapshot }: Passage): number {
  return snapshot.input.config.listeners[exchange.inbound.listener]?.limits.held ?? Number.POSITIVE_INFINITY;
}

class Hold implements InboundSink {
  readonly #passage: Passage;
  readonly #pieces: Buffer[] = [];

  constructor(passage: Passage) {
    this.#passage = passage;
  }

  onRequestData(buffer: Buffer, start: number, end: number): void {
    const { exchange, worker } = this.#passage;
    if (exchange.outcome !== 'open') return;
    const size = end - start;
    if (worker.held + size > heldLimit(this.#passage)) {
      this.#pieces.length = 0;
      worker.fault('held_bodies');
      const what = 'this gateway holds as many request bodies as it may (limits.held)';
      this.#passage.refuse(new GatehouseError('overloaded', what, { retryAfterMs: 1000 }));
      return;
    }
    worker.held += size;
    this.#passage.held += size;
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
  }

  onRequestEnd(): void {
    const passage = this.#passage;
    if (passage.exchange.outcome !== 'open') return;
    passage.body = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
    passage.worker.proceed(passage);
  }

  onInboundDrain(): void {}

  onInboundAbort(error: GatehouseError): void {
    const passage = this.#passage;
    const { exchange } = passage;
    if (exchange.outcome !== 'open') return;
    if (error.code === 'client_closed') {
      passage.ended(exchange, 'client_aborted', error);
      exchange.inbound.abort();
    } else passage.refuse(error);
  }
}

/** Collects the body; when it is whole the passage goes on with its next stage. */
export function holdBody(passage: Passage): void {
  passage.exchange.inbound.start(new Hold(passage));
}
