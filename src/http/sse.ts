/**
 * Splits a Server-Sent Events stream into events, whatever the splits of the transport (WHATWG HTML §9.2.5: lines end in
 * LF, CRLF or CR; a blank line ends an event). Complete events are handed on in place; only an incomplete one is copied.
 */

/** Takes what the splitter finds. Slices are valid during the call only. */
export interface SseSink {
  /** One complete event with the blank line that ends it (or a stray blank line by itself). */
  event(buffer: Buffer, start: number, end: number): void;
  /** Part of an event that is larger than the limit, as it comes; `last`: its blank line is the end of this part. */
  piece(buffer: Buffer, start: number, end: number, last: boolean): void;
  /** The stream has ended inside an event: what there is of it. */
  tail(buffer: Buffer, start: number, end: number): void;
}

const CR = 13;
const LF = 10;

/** Inside a line. */
const INSIDE = 0;
/** At the start of a line, after LF or CRLF, or at the start of an event. */
const LINE_START = 1;
/** After a CR that ended a line: an LF still belongs to it. */
const AFTER_CR = 2;
/** After a blank line made by a CR: an LF still belongs to it. */
const BLANK_CR = 3;

/** Below this many bytes a plain loop beats a native call. */
const NEAR = 256;

/** The splitter; one for each stream. */
export class SseSplitter {
  readonly #sink: SseSink;
  readonly #limit: number;
  #state = LINE_START;
  #held: Buffer | undefined = undefined;
  #heldLength = 0;
  #oversize = false;
  #lineCount = 0;
  /** While `event` is called: how many lines the event has, blank ones not counted. */
  lines = 0;

  /** `limitBytes`: an event larger than this is not held but handed on in pieces. */
  constructor(sink: SseSink, limitBytes: number) {
    this.#sink = sink;
    this.#limit = limitBytes;
  }

  /** True when every byte so far belongs to a complete event. */
  get atBoundary(): boolean {
    return this.#heldLength === 0 && !this.#oversize;
  }

  /** Takes the next bytes of the stream. */
  push(buffer: Buffer, start: number, end: number): void {
    let from = start;
    let i = start;
    let state = this.#state;
    while (i < end) {
      if (state === INSIDE) {
        i = lineEnd(buffer, i, end);
        if (i === end) break;
        state = buffer[i++] === LF ? LINE_START : AFTER_CR;
        this.#lineCount++;
        continue;
      }
      const byte = buffer[i] as number;
      let boundary = -1;
      if (state === BLANK_CR) {
        boundary = byte === LF ? i + 1 : i;
      } else if (byte === LF) {
        if (state === LINE_START) boundary = i + 1;
        else state = LINE_START;
      } else if (byte === CR) {
        // After a lone CR the stream uses CR alone, so there is no LF to wait for.
        if (state === AFTER_CR) boundary = i + 1;
        else state = BLANK_CR;
      } else {
        state = INSIDE;
      }
      if (boundary < 0) {
        i++;
        continue;
      }
      this.#complete(buffer, from, boundary);
      from = boundary;
      i = boundary;
      state = LINE_START;
    }
    this.#state = state;
    if (from < end) this.#keep(buffer, from, end);
  }

  /** The stream has ended. */
  end(): void {
    const held = this.#held;
    const length = this.#heldLength;
    const state = this.#state;
    this.#reset();
    this.#state = LINE_START;
    this.lines = this.#lineCount;
    this.#lineCount = 0;
    if (held === undefined || length === 0) return;
    if (state === BLANK_CR) this.#sink.event(held, 0, length);
    else this.#sink.tail(held, 0, length);
  }

  #complete(buffer: Buffer, from: number, to: number): void {
    this.lines = this.#lineCount;
    this.#lineCount = 0;
    if (this.#oversize) {
      this.#oversize = false;
      this.#sink.piece(buffer, from, to, true);
      return;
    }
    if (this.#heldLength === 0) {
      if (to - from > this.#limit) this.#sink.piece(buffer, from, to, true);
      else this.#sink.event(buffer, from, to);
      return;
    }
    if (this.#heldLength + (to - from) > this.#limit) {
      const held = this.#held as Buffer;
      const length = this.#heldLength;
      this.#reset();
      this.#sink.piece(held, 0, length, to === from);
      if (to > from) this.#sink.piece(buffer, from, to, true);
      return;
    }
    this.#append(buffer, from, to);
    const held = this.#held as Buffer;
    const length = this.#heldLength;
    this.#reset();
    this.#sink.event(held, 0, length);
  }

  #keep(buffer: Buffer, from: number, to: number): void {
    if (this.#oversize) {
      this.#sink.piece(buffer, from, to, false);
      return;
    }
    if (this.#heldLength + (to - from) <= this.#limit) {
      this.#append(buffer, from, to);
      return;
    }
    const held = this.#held;
    const length = this.#heldLength;
    this.#reset();
    this.#oversize = true;
    if (held !== undefined && length > 0) this.#sink.piece(held, 0, length, false);
    this.#sink.piece(buffer, from, to, false);
  }

  #append(buffer: Buffer, from: number, to: number): void {
    const needed = this.#heldLength + (to - from);
    let held = this.#held;
    if (held === undefined || held.length < needed) {
      let size = held === undefined ? 512 : held.length * 2;
      while (size < needed) size *= 2;
      const larger = Buffer.allocUnsafe(Math.min(size, Math.max(this.#limit, needed)));
      if (held !== undefined) held.copy(larger, 0, 0, this.#heldLength);
      held = larger;
      this.#held = larger;
    }
    buffer.copy(held, this.#heldLength, from, to);
    this.#heldLength = needed;
  }

  #reset(): void {
    this.#held = undefined;
    this.#heldLength = 0;
    this.#oversize = false;
  }
}

/** Position of the first CR or LF in [from, end), or `end`. */
function lineEnd(buffer: Buffer, from: number, end: number): number {
  const near = Math.min(end, from + NEAR);
  let i = from;
  // A line end is the only byte below 14 that occurs in practice, so four are dismissed at once.
  for (; i + 4 <= near; i += 4) {
    if (
      (buffer[i] as number) <= CR ||
      (buffer[i + 1] as number) <= CR ||
      (buffer[i + 2] as number) <= CR ||
      (buffer[i + 3] as number) <= CR
    ) {
      for (let k = i; k < i + 4; k++) if (buffer[k] === LF || buffer[k] === CR) return k;
    }
  }
  for (; i < near; i++) if (buffer[i] === LF || buffer[i] === CR) return i;
  if (near === end) return end;
  // The search must not run into stale bytes behind `end`, hence the view; CR is looked for before the LF found only.
  const lf = buffer.subarray(near, end).indexOf(LF);
  const stop = lf < 0 ? end : near + lf;
  const cr = buffer.subarray(near, stop).indexOf(CR);
  return cr < 0 ? stop : near + cr;
}

/** Start and end of the value of each `data` line of an event, flat. Joined by LF they are the event's data. */
export function dataLines(bytes: Buffer, start: number, end: number): number[] {
  const lines: number[] = [];
  let i = start;
  // A byte order mark may stand in front of the first event.
  if (bytes[i] === 0xef && bytes[i + 1] === 0xbb && bytes[i + 2] === 0xbf) i += 3;
  while (i < end) {
    const to = lineEnd(bytes, i, end);
    if (
      to - i >= 5 &&
      bytes[i] === 100 &&
      bytes[i + 1] === 97 &&
      bytes[i + 2] === 116 &&
      bytes[i + 3] === 97 &&
      bytes[i + 4] === 58
    ) {
      lines.push(bytes[i + 5] === 32 ? i + 6 : i + 5, to);
    }
    i = to + 1;
  }
  return lines;
}
