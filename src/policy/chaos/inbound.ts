/** The client's side with something wrong on purpose: slow, cut in the middle, or garbled. Only exists while a fault hits. */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { GatehouseError } from '../../kernel/error.ts';
import type { BodyLength, Inbound, InboundSink, Peer } from '../../kernel/exchange.ts';
import type { Fault } from './fault.ts';

/** Between two pieces of a slowed answer. */
const TICK_MS = 50;
/** A byte that no UTF-8 text has. */
const GARBAGE = 0xff;

/** Stands between the pipeline and the client's real side; what the fault does not concern passes straight on. */
export class FaultyInbound implements Inbound, InboundSink {
  readonly #real: Inbound;
  readonly #rule: string;
  readonly #clock: Clock;
  readonly #garbles: boolean;
  /** Bytes per second; 0: as fast as they come. */
  readonly #rate: number;
  /** Bytes until the cut. */
  #left: number;
  #sink: InboundSink | undefined = undefined;
  #cut = false;
  // What waits for its time, and the client that waits for it.
  readonly #queue: Buffer[] = [];
  #timer: Timer | undefined = undefined;
  #blocked = false;
  #trailers: string | undefined = undefined;
  #credit = 0;
  #filledAt = 0;

  constructor(real: Inbound, fault: Fault, clock: Clock) {
    this.#real = real;
    this.#rule = fault.rule;
    this.#clock = clock;
    this.#garbles = fault.malformed === true;
    this.#rate = fault.throughput ?? 0;
    this.#left = fault.reset ?? Number.POSITIVE_INFINITY;
  }

  get clientAddress(): string {
    return this.#real.clientAddress;
  }

  get peer(): Peer {
    return this.#real.peer;
  }

  get listener(): string {
    return this.#real.listener;
  }

  get scheme(): string {
    return this.#real.scheme;
  }

  start(sink: InboundSink): void {
    this.#sink = sink;
    this.#real.start(this);
  }

  pause(): void {
    this.#real.pause();
  }

  resume(): void {
    this.#real.resume();
  }

  interim(status: number, fields: string): void {
    this.#real.interim(status, fields);
  }

  closeAfter(): void {
    this.#real.closeAfter();
  }

  head(status: number, reason: string, fields: string, length: BodyLength): void {
    this.#filledAt = this.#clock.now();
    this.#real.head(status, reason, fields, length);
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#cut) return true;
    const stop = Math.min(end, start + this.#left);
    this.#left -= stop - start;
    const ok = this.#pass(buffer, start, stop);
    if (this.#left <= 0 && this.#queue.length === 0) this.#end();
    return ok;
  }

  end(trailers: string): void {
    if (this.#cut) return;
    this.#trailers = trailers;
    if (this.#queue.length === 0) this.#end();
  }

  abort(): void {
    this.#cut = true;
    this.#stop();
    this.#real.abort();
  }

  // ---- what the client's real side says

  onRequestData(buffer: Buffer, start: number, end: number): void {
    this.#sink?.onRequestData(buffer, start, end);
  }

  onRequestEnd(trailers: string): void {
    this.#sink?.onRequestEnd(trailers);
  }

  onInboundDrain(): void {
    this.#blocked = false;
    if (this.#queue.length === 0) this.#sink?.onInboundDrain();
  }

  onInboundAbort(error: GatehouseError): void {
    this.#stop();
    const over = this.#trailers !== undefined;
    this.#sink?.onInboundAbort(error);
    // The exchange has been counted as answered; nobody else cleans up.
    if (over) this.#real.abort();
  }

  // ---- the faults

  #pass(buffer: Buffer, start: number, end: number): boolean {
    if (this.#rate === 0 && !this.#garbles) return this.#real.write(buffer, start, end);
    const copy = Buffer.from(buffer.subarray(start, end));
    if (this.#garbles) copy.fill(GARBAGE, copy.length >> 1);
    if (this.#rate === 0) return this.#real.write(copy, 0, copy.length);
    this.#queue.push(copy);
    this.#timer ??= this.#clock.every(TICK_MS, () => this.#tick());
    return false;
  }

  #tick(): void {
    const now = this.#clock.now();
    const most = Math.max(1, (this.#rate * 2 * TICK_MS) / 1000);
    this.#credit = Math.min(most, this.#credit + (this.#rate * (now - this.#filledAt)) / 1000);
    this.#filledAt = now;
    while (!this.#blocked && this.#credit >= 1) {
      const piece = this.#queue[0];
      if (piece === undefined) break;
      const length = Math.min(piece.length, Math.floor(this.#credit));
      this.#credit -= length;
      if (length === piece.length) this.#queue.shift();
      else this.#queue[0] = piece.subarray(length);
      this.#blocked = !this.#real.write(piece, 0, length);
    }
    if (this.#queue.length > 0) return;
    this.#stop();
    if (this.#left <= 0 || this.#trailers !== undefined) this.#end();
    else if (!this.#blocked) this.#sink?.onInboundDrain();
  }

  /** All that shall arrive has been written: the answer ends, or is cut where it was to be cut. */
  #end(): void {
    if (this.#cut) return;
    if (this.#left === Number.POSITIVE_INFINITY) {
      this.#real.end(this.#trailers ?? '');
      return;
    }
    this.#cut = true;
    // The writer is in the middle of something: it is told when its own stack has ended, as of a real failure.
    queueMicrotask(() => {
      const message = `the answer was cut on purpose (chaos.${this.#rule})`;
      this.#sink?.onInboundAbort(new GatehouseError('fault_injected', message, { rule: `chaos.${this.#rule}` }));
      this.#real.abort();
    });
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#queue.length = 0;
  }
}
