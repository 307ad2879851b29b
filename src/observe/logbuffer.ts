/** Log lines batched off the request's way: one write per batch, bounded memory, and a count of what was lost. */
import type { Clock } from '../kernel/clock.ts';

/** Where batches go. */
export interface LogSink {
  /** Takes a batch of whole lines. False: it is behind; send no more until `LogBuffer.drained` is called. */
  write(chunk: string): boolean;
}

/** Sizes are in UTF-16 units (bytes for ASCII lines), times in milliseconds. */
export interface LogBufferOptions {
  /** A batch this large is sent at once; 64 Ki when left out. */
  flushSize?: number;
  /** A line waits at most this long; 200 when left out. */
  flushMs?: number;
  /** Most that is held while the sink is behind; later lines are dropped. 4 Mi when left out. */
  maxSize?: number;
  /** Told how many lines went out with each batch, and how many were lost since. */
  onFlush?: (lines: number, dropped: number) => void;
}

/** Collects lines for a sink. */
export class LogBuffer {
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #flushSize: number;
  readonly #flushMs: number;
  readonly #maxSize: number;
  readonly #onFlush: ((lines: number, dropped: number) => void) | undefined;
  readonly #onTimer: () => void;
  #text = '';
  #lines = 0;
  #lost = 0;
  #behind = false;
  #armed = false;
  /** Lines dropped since the start because the sink was behind. */
  dropped = 0;

  constructor(sink: LogSink, clock: Clock, options: LogBufferOptions = {}) {
    this.#sink = sink;
    this.#clock = clock;
    this.#flushSize = options.flushSize ?? 64 * 1024;
    this.#flushMs = options.flushMs ?? 200;
    this.#maxSize = options.maxSize ?? 4 * 1024 * 1024;
    this.#onFlush = options.onFlush;
    this.#onTimer = () => {
      this.#armed = false;
      this.flush();
    };
  }

  /** Takes one line, line feed included. */
  add(line: string): void {
    if (this.#text.length + line.length > this.#maxSize) {
      this.dropped++;
      this.#lost++;
      this.#arm();
      return;
    }
    this.#text += line;
    this.#lines++;
    if (this.#text.length >= this.#flushSize && !this.#behind) this.flush();
    else this.#arm();
  }

  /** Sends what is there, unless the sink is behind. */
  flush(): void {
    const lines = this.#behind ? 0 : this.#lines;
    const lost = this.#lost;
    this.#lost = 0;
    if (lines > 0) {
      const text = this.#text;
      this.#text = '';
      this.#lines = 0;
      this.#behind = !this.#sink.write(text);
    }
    if (lines > 0 || lost > 0) this.#onFlush?.(lines, lost);
  }

  /** The sink has caught up. */
  drained(): void {
    this.#behind = false;
    this.flush();
  }

  /** Sends what is there whether the sink is behind or not: the process is about to end. */
  close(): void {
    this.#behind = false;
    this.flush();
  }

  // One timer per batch, armed by its first line: an idle worker is not woken.
  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#clock.after(this.#flushMs, this.#onTimer);
  }
}
