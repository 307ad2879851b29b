/** Holding a request body until it is complete, bounded by the body limits of listener and route, for what must see all of it before it travels. */
import type { GatehouseError } from '../kernel/error.ts';
import type { InboundSink } from '../kernel/exchange.ts';
import type { Passage } from './passage.ts';

class Hold implements InboundSink {
  readonly #passage: Passage;
  readonly #pieces: Buffer[] = [];

  constructor(passage: Passage) {
    this.#passage = passage;
  }

  onRequestData(buffer: Buffer, start: number, end: number): void {
    const { exchange } = this.#passage;
    if (exchange.outcome !== 'open') return;
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
