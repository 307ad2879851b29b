/** Cuts a stream of bytes into frames. DATA passes in pieces as they come; all other frames are given whole. Pure. */
import { FLAG, FRAME, FRAME_HEAD, H2 } from './frame.ts';

/** Who takes the frames. */
export interface FrameSink {
  /** Nothing more is wanted: reading stops at once. */
  readonly stopped: boolean;
  /** A frame begins. False: it cannot be taken, and nothing more is read. */
  onFrameHead(type: number, flags: number, streamId: number, length: number): boolean;
  /** A whole frame other than DATA; valid during the call. */
  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void;
  /** A piece of DATA, without padding. */
  onData(streamId: number, buffer: Buffer, start: number, end: number): void;
  /** The DATA frame is complete. `length`: its payload with padding, as flow control counts it; `data`: without. */
  onDataEnd(streamId: number, flags: number, length: number, data: number): void;
  /** The frame itself is wrong: the connection cannot go on. */
  onFrameError(code: number, kind: string, message: string): void;
}

const HEAD = 0;
const WHOLE = 1;
const PAD_LENGTH = 2;
const DATA = 3;
const PADDING = 4;

/** See the file's head. */
export class FrameReader {
  readonly #head = Buffer.alloc(FRAME_HEAD);
  #have = 0;
  #phase = HEAD;
  #type = 0;
  #flags = 0;
  #id = 0;
  #length = 0;
  #left = 0;
  #padding = 0;
  #held: Buffer | undefined = undefined;

  /** In the middle of a frame other than DATA. */
  get within(): boolean {
    return this.#phase === WHOLE || this.#have > 0;
  }

  /** Takes bytes in. */
  read(buffer: Buffer, start: number, end: number, sink: FrameSink): void {
    let p = start;
    while (p < end && !sink.stopped) {
      if (this.#phase === HEAD) {
        if (this.#have === 0 && end - p >= FRAME_HEAD) {
          this.#parseHead(buffer, p);
          p += FRAME_HEAD;
        } else {
          const take = Math.min(FRAME_HEAD - this.#have, end - p);
          buffer.copy(this.#head, this.#have, p, p + take);
          this.#have += take;
          p += take;
          if (this.#have < FRAME_HEAD) return;
          this.#have = 0;
          this.#parseHead(this.#head, 0);
        }
        if (!sink.onFrameHead(this.#type, this.#flags, this.#id, this.#length)) return;
        this.#begin(buffer, sink);
      } else if (this.#phase === WHOLE) p = this.#readWhole(buffer, p, end, sink);
      else p = this.#readData(buffer, p, end, sink);
    }
  }

  #parseHead(buffer: Buffer, at: number): void {
    this.#length = ((buffer[at] as number) << 16) | ((buffer[at + 1] as number) << 8) | (buffer[at + 2] as number);
    this.#type = buffer[at + 3] as number;
    this.#flags = buffer[at + 4] as number;
    // The first bit is reserved and ignored (RFC 9113 §4.1).
    this.#id =
      (((buffer[at + 5] as number) & 127) << 24) |
      ((buffer[at + 6] as number) << 16) |
      ((buffer[at + 7] as number) << 8) |
      (buffer[at + 8] as number);
  }

  #begin(buffer: Buffer, sink: FrameSink): void {
    this.#left = this.#length;
    if (this.#type !== FRAME.DATA) {
      if (this.#length > 0) this.#phase = WHOLE;
      else sink.onFrame(this.#type, this.#flags, this.#id, buffer, 0, 0);
      return;
    }
    this.#padding = 0;
    if ((this.#flags & FLAG.PADDED) === 0) {
      if (this.#length > 0) this.#phase = DATA;
      else sink.onDataEnd(this.#id, this.#flags, 0, 0);
    } else if (this.#length > 0) this.#phase = PAD_LENGTH;
    else sink.onFrameError(H2.FRAME_SIZE_ERROR, 'h2_padding', 'a padded DATA frame has no pad length');
  }

  #readWhole(buffer: Buffer, p: number, end: number, sink: FrameSink): number {
    const take = Math.min(this.#left, end - p);
    const at = this.#length - this.#left;
    this.#left -= take;
    if (this.#held === undefined && this.#left === 0) {
      this.#phase = HEAD;
      sink.onFrame(this.#type, this.#flags, this.#id, buffer, p, p + take);
      return p + take;
    }
    this.#held ??= Buffer.allocUnsafe(this.#length);
    buffer.copy(this.#held, at, p, p + take);
    if (this.#left === 0) {
      const held = this.#held;
      this.#held = undefined;
      this.#phase = HEAD;
      sink.onFrame(this.#type, this.#flags, this.#id, held, 0, held.length);
    }
    return p + take;
  }

  #readData(buffer: Buffer, from: number, end: number, sink: FrameSink): number {
    let p = from;
    if (this.#phase === PAD_LENGTH) {
      this.#padding = buffer[p++] as number;
      this.#left--;
      if (this.#padding > this.#left) {
        sink.onFrameError(H2.PROTOCOL_ERROR, 'h2_padding', 'the padding is longer than its frame (RFC 9113 §6.1)');
        return end;
      }
      this.#phase = DATA;
    }
    if (this.#phase === DATA) {
      const take = Math.min(this.#left - this.#padding, end - p);
      this.#left -= take;
      if (take > 0) sink.onData(this.#id, buffer, p, p + take);
      p += take;
      if (this.#left === this.#padding) this.#phase = PADDING;
    }
    if (this.#phase === PADDING) {
      const take = Math.min(this.#left, end - p);
      this.#left -= take;
      p += take;
      if (this.#left === 0) {
        this.#phase = HEAD;
        if (sink.stopped) return p;
        const overhead = (this.#flags & FLAG.PADDED) !== 0 ? this.#padding + 1 : 0;
        sink.onDataEnd(this.#id, this.#flags, this.#length, this.#length - overhead);
      }
    }
    return p;
  }
}
