/** Reads usage off answers as they pass, without changing or delaying a byte. */
import { dataLines, type SseSink, SseSplitter } from '../http/sse.ts';
import type { Tap, Usage } from '../kernel/exchange.ts';
import { ContentWatch, findUsage, usageGiven } from './content.ts';
import type { ProducedAnswer, ProducedStream } from './produced.ts';
import { UsageScan } from './scan.ts';

/** What is learnt from an answer. */
export interface UsageProgress {
  /** Tokens as the provider has reported them so far; undefined until it has. */
  readonly usage: Usage | undefined;
  /** Content events seen in a stream: about the tokens generated, where the provider has not (yet) told. */
  readonly tokens: number;
  /** Called once, at the first generated content of a stream. */
  onFirstToken: (() => void) | undefined;
  /**
   * False while the bytes passed on so far end inside an event of a stream: an error event would be glued to it, so only
   * an abort is left.
   */
  readonly atBoundary: boolean;
}

/** A tap that learns. */
export interface UsageTap extends Tap, UsageProgress {}

/** Reads usage objects of one protocol. */
export interface UsageReader {
  usage: Usage | undefined;
  read(value: unknown): void;
}

/** An event larger than this is scanned as it passes instead of being held. */
const EVENT_BYTES_MAX = 64 * 1024;

/** For a JSON answer: reads `usage` at its top level. */
export class JsonTap implements UsageTap {
  readonly #reader: UsageReader;
  readonly #scan: UsageScan;
  readonly tokens = 0;
  readonly atBoundary = false;
  onFirstToken: (() => void) | undefined = undefined;
  readonly #produced: ProducedAnswer | undefined;

  /** `produced`: keeps the answer. */
  constructor(reader: UsageReader, produced?: ProducedAnswer) {
    this.#reader = reader;
    this.#produced = produced;
    this.#scan = new UsageScan((value) => reader.read(value));
  }

  get usage(): Usage | undefined {
    return this.#reader.usage;
  }

  data(buffer: Buffer, start: number, end: number): void {
    this.#scan.feed(buffer, start, end);
    this.#produced?.data(buffer, start, end);
  }

  end(): void {}
}

/** For a stream of events: reads every usage they report, and counts those with content. */
export class SseTap implements UsageTap, SseSink {
  readonly #reader: UsageReader;
  readonly #content: ContentWatch;
  readonly #splitter: SseSplitter;
  #scan: UsageScan | undefined = undefined;
  #scanning = false;
  tokens = 0;
  onFirstToken: (() => void) | undefined = undefined;
  readonly #produced: ProducedStream | undefined;

  /** `contentKeys`: keys whose value is generated content. `produced`: keeps it. */
  constructor(reader: UsageReader, contentKeys: readonly Buffer[], produced?: ProducedStream) {
    this.#reader = reader;
    this.#produced = produced;
    this.#content = new ContentWatch(contentKeys);
    this.#splitter = new SseSplitter(this, EVENT_BYTES_MAX);
  }

  get usage(): Usage | undefined {
    return this.#reader.usage;
  }

  get atBoundary(): boolean {
    return this.#splitter.atBoundary;
  }

  data(buffer: Buffer, start: number, end: number): void {
    this.#splitter.push(buffer, start, end);
  }

  end(): void {
    this.#splitter.end();
  }

  event(buffer: Buffer, start: number, end: number): void {
    if (this.#content.has(buffer, start, end)) this.count();
    this.#produced?.event(buffer, start, end);
    const at = findUsage(buffer, start, end);
    if (at >= 0 && usageGiven(buffer, at, end)) {
      const scan = this.#restart();
      const lines = dataLines(buffer, start, end);
      for (let k = 0; k < lines.length; k += 2) scan.feed(buffer, lines[k] as number, lines[k + 1] as number);
    }
  }

  piece(buffer: Buffer, start: number, end: number, last: boolean): void {
    this.#produced?.piece(buffer, start, end);
    // Field names in front of the JSON mean nothing to the scanner, so the raw bytes do. (Only `usage` itself must not be
    // broken over lines in an event of this size.)
    (this.#scanning ? (this.#scan as UsageScan) : this.#restart()).feed(buffer, start, end);
    this.#scanning = !last;
  }

  tail(buffer: Buffer, start: number, end: number): void {
    this.event(buffer, start, end);
  }

  /** Counts a content event. */
  protected count(): void {
    if (this.tokens++ > 0) return;
    const first = this.onFirstToken;
    this.onFirstToken = undefined;
    first?.();
  }

  #restart(): UsageScan {
    if (this.#scan === undefined) this.#scan = new UsageScan((value) => this.#reader.read(value));
    else this.#scan.reset();
    return this.#scan;
  }
}
