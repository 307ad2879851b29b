/**
 * A cheap reader of HTTP/1.1 messages for the load generator and the stand-in upstream. It trusts its own side of the
 * wire as far as speed asks for, but counts what it sees: status, body bytes and SSE events.
 */

const HEAD = 0;
const LENGTH = 1;
const CHUNK_SIZE = 2;
const CHUNK_DATA = 3;
const CHUNK_END = 4;
const TRAILER = 5;
const CLOSE = 6;
const DONE = 7;

const LF = 10;
const HEAD_END = Buffer.from('\r\n\r\n');

/** Reads one message after another from pieces of a connection's bytes. */
export class MessageReader {
  /** Status of the response in hand; 0 for a request, -1 when the bytes are no HTTP. */
  status = 0;
  /** Head of the message in hand, first line included. */
  head = '';
  /** Decoded body bytes of the message in hand. */
  bodyBytes = 0;
  /** Blank-line-terminated SSE events seen in the body in hand; counted only with `countEvents`. */
  events = 0;
  /** The decoded body, kept only with `keepBody`. */
  body: Buffer[] = [];
  countEvents = false;
  keepBody = false;
  readonly #isRequest: boolean;
  #state = HEAD;
  #partial = '';
  #left = 0;
  #lastByte = 0;

  constructor(kind: 'request' | 'response') {
    this.#isRequest = kind === 'request';
  }

  /** Whether the message in hand is complete. */
  get done(): boolean {
    return this.#state === DONE;
  }

  /** Whether no byte of a message has been read since the last one. */
  get idle(): boolean {
    return this.#state === HEAD && this.#partial === '';
  }

  /** Makes ready for the next message on the same connection. */
  reset(): void {
    this.status = 0;
    this.head = '';
    this.bodyBytes = 0;
    this.events = 0;
    if (this.keepBody) this.body = [];
    this.#state = HEAD;
    this.#partial = '';
    this.#left = 0;
    this.#lastByte = 0;
  }

  /**
   * Takes `bytes[0, length)`.
   * @returns how many bytes were taken; fewer than `length` only when the message was completed before the end.
   * @throws Error when the framing cannot be read.
   */
  feed(bytes: Buffer, length = bytes.length): number {
    let at = 0;
    while (at < length && this.#state !== DONE) {
      switch (this.#state) {
        case HEAD:
          at = this.#readHead(bytes, at, length);
          break;
        case LENGTH:
        case CHUNK_DATA: {
          const end = Math.min(length, at + this.#left);
          this.#take(bytes, at, end);
          this.#left -= end - at;
          at = end;
          if (this.#left === 0) this.#state = this.#state === LENGTH ? DONE : CHUNK_END;
          break;
        }
        case CLOSE:
          this.#take(bytes, at, length);
          at = length;
          break;
        default:
          at = this.#readLine(bytes, at, length);
      }
    }
    return at;
  }

  /** The connection has ended: completes a body that is framed by its end. @returns whether the message is complete. */
  end(): boolean {
    if (this.#state === CLOSE) this.#state = DONE;
    return this.#state === DONE;
  }

  #readHead(bytes: Buffer, at: number, length: number): number {
    let head: string;
    let next: number;
    const end = this.#partial === '' ? bytes.indexOf(HEAD_END, at) : -1;
    if (end >= 0 && end + 4 <= length) {
      head = bytes.toString('latin1', at, end + 2);
      next = end + 4;
    } else {
      const before = this.#partial.length;
      const joined = this.#partial + bytes.toString('latin1', at, length);
      const joinedEnd = joined.indexOf('\r\n\r\n', Math.max(0, before - 3));
      if (joinedEnd < 0) {
        if (joined.length > 65_536) throw new Error('message head beyond 64 KiB');
        this.#partial = joined;
        return length;
      }
      head = joined.slice(0, joinedEnd + 2);
      next = at + joinedEnd + 4 - before;
      this.#partial = '';
    }
    this.#startBody(head);
    return next;
  }

  #startBody(head: string): void {
    this.head = head;
    if (!this.#isRequest) {
      this.status = head.startsWith('HTTP/1.') ? Number(head.slice(9, 12)) : -1;
      if (!(this.status >= 100)) throw new Error(`not an HTTP response: ${head.slice(0, 40)}`);
      if (this.status < 200) return; // interim: the final one follows
    }
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      this.#state = CHUNK_SIZE;
      return;
    }
    const stated = /\r\ncontent-length: *(\d+)/i.exec(head);
    if (stated) {
      this.#left = Number(stated[1]);
      this.#state = this.#left === 0 ? DONE : LENGTH;
    } else this.#state = this.#isRequest || this.status === 204 || this.status === 304 ? DONE : CLOSE;
  }

  #readLine(bytes: Buffer, at: number, length: number): number {
    const end = bytes.indexOf(LF, at);
    if (end < 0 || end >= length) {
      this.#partial += bytes.toString('latin1', at, length);
      if (this.#partial.length > 4096) throw new Error('chunk line beyond 4 KiB');
      return length;
    }
    const line = (this.#partial + bytes.toString('latin1', at, end)).trimEnd();
    this.#partial = '';
    if (this.#state === CHUNK_SIZE) {
      this.#left = Number.parseInt(line, 16);
      if (Number.isNaN(this.#left)) throw new Error(`not a chunk size: ${line.slice(0, 40)}`);
      this.#state = this.#left === 0 ? TRAILER : CHUNK_DATA;
    } else if (this.#state === CHUNK_END) {
      if (line !== '') throw new Error('chunk data longer than its size');
      this.#state = CHUNK_SIZE;
    } else if (line === '') this.#state = DONE;
    return end + 1;
  }

  #take(bytes: Buffer, from: number, to: number): void {
    this.bodyBytes += to - from;
    if (this.keepBody) this.body.push(Buffer.from(bytes.subarray(from, to)));
    if (!this.countEvents) return;
    let last = this.#lastByte;
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      if (byte === LF && last === LF) {
        this.events++;
        last = 0;
      } else last = byte;
    }
    this.#lastByte = last;
  }
}
