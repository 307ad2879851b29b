/**
 * Takes usage out of a stream again where Gatehouse asked for it and the client did not. The client gets, byte for byte,
 * what the server would have sent without `include_usage`: the extra chunk goes, and so does `"usage":null` in the others.
 */
import { dataLines, type SseSink, SseSplitter } from '../http/sse.ts';
import type { Rewrite, Usage } from '../kernel/exchange.ts';
import { ChunkWalk, objectEnd } from './chunk.ts';
import { ContentWatch, findUsage } from './content.ts';
import type { ProducedStream } from './produced.ts';
import { SseTap, type UsageProgress, type UsageReader } from './tap.ts';

type Pass = (buffer: Buffer, start: number, end: number) => void;

/** A rewrite that learns. */
export interface UsageHider extends Rewrite, UsageProgress {}

/** An event larger than this is not held back: from there on everything passes untouched. */
export const HELD_BYTES_MAX = 1024 * 1024;
/** A scratch buffer is not kept beyond this. */
const SCRATCH_BYTES_MAX = 256 * 1024;

/** Up to so many bytes a loop copies faster than a native call. */
const COPY_LOOP_BYTES = 64;

/** Where changed output is put together; shared by all streams, for it is passed on before anyone else runs. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024);
let scratchTaken = false;

const NULL_MEMBER = Buffer.from('"usage":null');
const walk = new ChunkWalk();

/** The rewrite; one for each stream. Calls `pass` at most once for each call of `data`. */
export class ChunkUsageHider implements UsageHider, SseSink {
  readonly #reader: UsageReader;
  readonly #contentKeys: readonly Buffer[];
  readonly #content: ContentWatch;
  readonly #splitter: SseSplitter;
  #tokens = 0;
  onFirstToken: (() => void) | undefined = undefined;
  /** Reads on once an event was too large to hold back. */
  #tap: SseTap | undefined = undefined;
  /** The slice being worked on, and the part of it that passes as it is. */
  #chunk: Buffer | undefined = undefined;
  #runStart = 0;
  #runEnd = 0;
  /** Output so far, when it is more than one run of the slice. */
  #out: Buffer | undefined = undefined;
  #outLength = 0;
  #ownsScratch = false;

  readonly #produced: ProducedStream | undefined;

  /** `contentKeys`: keys whose value is generated content. `produced`: keeps it. */
  constructor(reader: UsageReader, contentKeys: readonly Buffer[], produced?: ProducedStream) {
    this.#reader = reader;
    this.#produced = produced;
    this.#contentKeys = contentKeys;
    this.#content = new ContentWatch(contentKeys);
    this.#splitter = new SseSplitter(this, HELD_BYTES_MAX);
  }

  get usage(): Usage | undefined {
    return this.#reader.usage;
  }

  get tokens(): number {
    return this.#tokens + (this.#tap?.tokens ?? 0);
  }

  get atBoundary(): boolean {
    return this.#tap?.atBoundary ?? true;
  }

  data(buffer: Buffer, start: number, end: number, pass: Pass): void {
    if (this.#tap !== undefined) {
      this.#tap.data(buffer, start, end);
      pass(buffer, start, end);
      return;
    }
    this.#chunk = buffer;
    this.#runStart = start;
    this.#runEnd = start;
    this.#splitter.push(buffer, start, end);
    this.#flush(pass);
  }

  end(pass: Pass): void {
    if (this.#tap !== undefined) {
      this.#tap.end();
      return;
    }
    this.#splitter.end();
    this.#flush(pass);
  }

  event(buffer: Buffer, start: number, end: number): void {
    if (this.#tap !== undefined) {
      this.#tap.data(buffer, start, end);
      this.#keep(buffer, start, end);
      return;
    }
    if (this.#content.has(buffer, start, end)) this.#count();
    this.#produced?.event(buffer, start, end);
    const at = findUsage(buffer, start, end);
    if (at < 0) this.#keep(buffer, start, end);
    else if (!this.#cutNull(buffer, start, end, at)) this.#change(buffer, start, end);
  }

  piece(buffer: Buffer, start: number, end: number): void {
    if (this.#tap === undefined) {
      this.#tap = new SseTap(this.#reader, this.#contentKeys, this.#produced);
      if (this.#tokens === 0) this.#tap.onFirstToken = () => this.#first();
    }
    this.#tap.data(buffer, start, end);
    this.#keep(buffer, start, end);
  }

  tail(buffer: Buffer, start: number, end: number): void {
    // Without its blank line no reader takes it as an event; some forgive that, and usage is read all the same.
    this.event(buffer, start, end);
  }

  /**
   * The most common case without a walk over the whole event: one line with `,"usage":null` near its end. Where the object
   * that holds it ends together with the line, it is the outermost one.
   */
  #cutNull(buffer: Buffer, start: number, end: number, at: number): boolean {
    if (this.#splitter.lines !== 1 || buffer[start] !== 100 || buffer[start + 4] !== 58) return false;
    const behind = at + NULL_MEMBER.length;
    if (buffer[at - 1] !== 44 || behind >= end) return false;
    for (let k = 7; k < NULL_MEMBER.length; k++) if (buffer[at + k] !== NULL_MEMBER[k]) return false;
    const close = objectEnd(buffer, behind, end);
    if (close < 0 || (close < end && buffer[close] !== 10 && buffer[close] !== 13)) return false;
    if (findUsage(buffer, behind, close) >= 0) return false;
    this.#keep(buffer, start, at - 1);
    this.#keep(buffer, behind, end);
    return true;
  }

  /** An event that mentions usage. */
  #change(buffer: Buffer, start: number, end: number): void {
    const lines = dataLines(buffer, start, end);
    const single = lines.length === 2;
    let json = buffer;
    let from = lines[0] ?? end;
    let to = lines[1] ?? end;
    if (!single) {
      json = join(buffer, lines);
      from = 0;
      to = json.length;
    }
    if (!walk.walk(json, from, to)) {
      this.#keep(buffer, start, end);
      return;
    }
    if (walk.usage === 'given') {
      const usage = parse(json, from, to);
      this.#reader.read(usage);
      // Not kept: the chunk that exists only because we asked.
      if (!(walk.noChoices && typeof usage === 'object' && usage !== null)) this.#keep(buffer, start, end);
      return;
    }
    if (walk.usage === 'absent') {
      this.#keep(buffer, start, end);
      return;
    }
    if (single) {
      this.#keep(buffer, start, walk.cutStart);
      this.#keep(buffer, walk.cutEnd, end);
      return;
    }
    // The cut is in positions of the joined lines; each line gives up its share.
    let kept = start;
    let joined = 0;
    for (let k = 0; k < lines.length; k += 2) {
      const lineStart = lines[k] as number;
      const length = (lines[k + 1] as number) - lineStart;
      const cutStart = Math.max(walk.cutStart - joined, 0);
      const cutEnd = Math.min(walk.cutEnd - joined, length);
      if (cutStart < cutEnd) {
        this.#keep(buffer, kept, lineStart + cutStart);
        kept = lineStart + cutEnd;
      }
      joined += length + 1;
    }
    this.#keep(buffer, kept, end);
  }

  #count(): void {
    if (this.#tokens++ === 0) this.#first();
  }

  #first(): void {
    const first = this.onFirstToken;
    this.onFirstToken = undefined;
    first?.();
  }

  /** Lets [start, end) pass, after all that was kept before. */
  #keep(buffer: Buffer, start: number, end: number): void {
    if (start >= end) return;
    if (buffer === this.#chunk) {
      if (this.#runEnd === start && this.#runEnd > this.#runStart) {
        this.#runEnd = end;
        return;
      }
      this.#spill();
      this.#runStart = start;
      this.#runEnd = end;
      return;
    }
    this.#spill();
    this.#append(buffer, start, end);
  }

  #spill(): void {
    if (this.#runEnd > this.#runStart) this.#append(this.#chunk as Buffer, this.#runStart, this.#runEnd);
    this.#runStart = 0;
    this.#runEnd = 0;
  }

  #append(buffer: Buffer, start: number, end: number): void {
    const needed = this.#outLength + (end - start);
    let out = this.#out;
    if (out === undefined) {
      this.#ownsScratch = !scratchTaken;
      scratchTaken = true;
      out = this.#ownsScratch ? scratch : Buffer.allocUnsafe(Math.max(4096, needed));
      this.#out = out;
    }
    if (out.length < needed) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, out.length * 2));
      out.copy(larger, 0, 0, this.#outLength);
      if (this.#ownsScratch && larger.length <= SCRATCH_BYTES_MAX) scratch = larger;
      out = larger;
      this.#out = larger;
    }
    if (end - start <= COPY_LOOP_BYTES) {
      for (let i = start, o = this.#outLength; i < end; i++, o++) out[o] = buffer[i] as number;
    } else {
      buffer.copy(out, this.#outLength, start, end);
    }
    this.#outLength = needed;
  }

  #flush(pass: Pass): void {
    if (this.#out !== undefined) this.#spill();
    const chunk = this.#chunk;
    const runStart = this.#runStart;
    const runEnd = this.#runEnd;
    const out = this.#out;
    const outLength = this.#outLength;
    const owns = this.#ownsScratch;
    this.#chunk = undefined;
    this.#runStart = 0;
    this.#runEnd = 0;
    this.#out = undefined;
    this.#outLength = 0;
    this.#ownsScratch = false;
    if (out === undefined) {
      if (chunk !== undefined && runEnd > runStart) pass(chunk, runStart, runEnd);
      return;
    }
    try {
      pass(out, 0, outLength);
    } finally {
      if (owns) scratchTaken = false;
    }
  }
}

function join(bytes: Buffer, lines: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  for (let k = 0; k < lines.length; k += 2) {
    if (k > 0) parts.push(Buffer.from('\n'));
    parts.push(bytes.subarray(lines[k], lines[k + 1]));
  }
  return Buffer.concat(parts);
}

function parse(bytes: Buffer, start: number, end: number): unknown {
  try {
    return (JSON.parse(bytes.toString('utf8', start, end)) as { usage?: unknown }).usage;
  } catch {
    return undefined;
  }
}
