/** One stream of a connection in either direction: flow control, what waits for it, and how it ends (RFC 9113 §5, §6.9). */
import { FLAG, MAX_FRAME } from '../../http/http2/frame.ts';
import { mismatch } from '../../http/http2/head.ts';
import type { HostedStream, StreamHost } from './host.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** A stream; what its bytes mean is said by the class that extends this one. */
export abstract class Http2Stream implements HostedStream {
  readonly id: number;
  /** Monotonic milliseconds; Infinity for none. */
  deadline = NEVER;
  /** What the peer lets us send. May be negative, after it has made its windows smaller. */
  sendWindow: number;
  /** What the peer may still send. */
  recvWindow: number;
  /** We have sent, or they have sent, the last frame of it. */
  localEnded = false;
  remoteEnded = false;
  /** Nothing is sent or reported any more. */
  closed = false;
  /** In the session's row of streams that wait to send. Written by the session only. */
  waiting = false;
  /** Octets of DATA sent so far. */
  sent = 0;
  /** Content-Length of what the peer sends; -1: not known. */
  protected expected = -1;
  #received = 0;
  readonly #session: StreamHost;
  #paused = true;
  /** Made when needed, as the other one below: most streams hold nothing. */
  #held: Buffer[] | undefined = undefined;
  /** The peer has ended behind what is held, with these trailers. */
  #endHeld: string | undefined = undefined;
  #uncredited = 0;
  #queue: Buffer[] | undefined = undefined;
  /** Behind what is queued: END_STREAM, with trailers where there are. */
  #endQueued: string | undefined = undefined;
  /** The writer has been told to wait. */
  #blocked = false;

  constructor(session: StreamHost, id: number) {
    this.#session = session;
    this.id = id;
    this.sendWindow = session.peerWindow;
    this.recvWindow = session.limits.window;
  }

  /** Body bytes; valid during the call. */
  protected abstract onBody(buffer: Buffer, start: number, end: number): void;
  /** The peer's side is complete. */
  protected abstract onBodyEnd(trailers: string): void;
  /** Write again. */
  protected abstract onSendReady(): void;
  /** The stream is over before its time; `code`: as the peer said, or INTERNAL_ERROR when the connection has broken. */
  abstract onGone(code: number, why: string): void;
  /** The deadline has passed; it has been cleared. */
  abstract onOverdue(now: number): void;

  // ---- receiving

  /** Delivery has not begun, or waits. */
  protected get paused(): boolean {
    return this.#paused;
  }

  /** DATA has come. */
  receive(buffer: Buffer, start: number, end: number): void {
    this.#received += end - start;
    if (this.expected >= 0 && this.#received > this.expected) {
      this.#session.malformed(this, mismatch('the body is longer than Content-Length'));
      return;
    }
    if (this.#paused) {
      this.#held ??= [];
      this.#held.push(Buffer.from(buffer.subarray(start, end)));
    } else {
      this.credit(end - start);
      this.onBody(buffer, start, end);
    }
  }

  /** The peer has ended its side. */
  receiveEnd(trailers: string): void {
    this.remoteEnded = true;
    if (this.expected >= 0 && this.#received !== this.expected)
      this.#session.malformed(this, mismatch('the body is shorter than Content-Length'));
    else if (this.#held !== undefined || this.#paused) this.#endHeld = trailers;
    else this.#deliverEnd(trailers);
  }

  #deliverEnd(trailers: string): void {
    this.onBodyEnd(trailers);
    this.#session.settle(this);
  }

  /** What comes is held, and the peer may send only what its window still allows. */
  pauseBody(): void {
    this.#paused = true;
  }

  /** Delivers what is held and goes on. */
  resumeBody(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const held = this.#held;
    if (held !== undefined) this.#deliver(held);
    if (this.#held !== undefined || this.isPaused || this.closed || this.#endHeld === undefined) return;
    const trailers = this.#endHeld;
    this.#endHeld = undefined;
    this.#deliverEnd(trailers);
  }

  #deliver(held: Buffer[]): void {
    let at = 0;
    while (at < held.length && !this.isPaused && !this.closed) {
      const piece = held[at++] as Buffer;
      this.credit(piece.length);
      this.onBody(piece, 0, piece.length);
    }
    held.splice(0, at);
    if (held.length === 0) this.#held = undefined;
  }

  /** As `paused`, which the compiler takes for unchanged across calls. */
  private get isPaused(): boolean {
    return this.#paused;
  }

  /** Octets that have been used, or will never be: the peer may send as many again. */
  credit(octets: number): void {
    this.#session.credit(octets);
    if (this.remoteEnded || this.closed) return;
    this.#uncredited += octets;
    if (this.#uncredited < this.#session.limits.window >> 1) return;
    this.recvWindow += this.#uncredited;
    this.#session.windowUpdate(this.id, this.#uncredited);
    this.#uncredited = 0;
  }

  // ---- sending

  /** Octets wait here. */
  get queued(): boolean {
    return this.#queue !== undefined;
  }

  /** There is something to send as soon as window and connection allow. */
  get stalled(): boolean {
    return this.queued || this.#endQueued !== undefined;
  }

  /** Sends body bytes; `last`: nothing follows them. The slice may be reused when this returns. False: wait. */
  protected send(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    if (this.closed || this.localEnded) return true;
    const at = this.stalled ? start : this.#sendNow(buffer, start, end, last);
    if (at < end) {
      this.#queue ??= [];
      this.#queue.push(Buffer.from(buffer.subarray(at, end)));
      if (last) this.#endQueued = '';
      this.#session.wait(this);
    } else if (!this.#session.congested) return true;
    else this.#session.wait(this);
    this.#blocked = true;
    return false;
  }

  /** Sends what the windows allow; returns how far that went. */
  #sendNow(buffer: Buffer, start: number, end: number, last: boolean): number {
    const session = this.#session;
    let at = start;
    while (at < end) {
      const size = Math.min(end - at, MAX_FRAME, this.sendWindow, session.sendWindow);
      if (size <= 0 || session.congested) break;
      this.sendWindow -= size;
      this.sent += size;
      const ends = last && at + size === end;
      session.sendData(this.id, buffer, at, at + size, ends ? FLAG.END_STREAM : 0);
      at += size;
      if (ends) this.#ended();
    }
    return at;
  }

  /** Ends our side. */
  protected sendEnd(trailers: string): void {
    if (this.closed || this.localEnded) return;
    if (this.stalled) this.#endQueued = trailers;
    else this.#endNow(trailers);
  }

  #endNow(trailers: string): void {
    if (trailers === '') this.#session.sendEmpty(this.id);
    else this.#session.sendTrailers(this.id, trailers);
    this.#ended();
  }

  #ended(): void {
    this.localEnded = true;
    this.onSent();
    this.#session.settle(this);
  }

  /** A head that has ended our side has been sent. */
  protected endedBy(): void {
    this.#ended();
  }

  /** Our side is complete and on its way. */
  protected onSent(): void {}

  /** Sends more of what waits. False: it must go on waiting. */
  pump(): boolean {
    for (let queue = this.#queue; queue !== undefined; queue = this.#queue) {
      const piece = queue[0] as Buffer;
      const last = queue.length === 1 && this.#endQueued === '';
      const at = this.#sendNow(piece, 0, piece.length, last);
      if (this.closed || this.localEnded) return true;
      if (at < piece.length) {
        queue[0] = piece.subarray(at);
        return false;
      }
      if (queue.length === 1) this.#queue = undefined;
      else {
        queue.shift();
        // One piece, then it is the next one's turn.
        return false;
      }
    }
    if (this.#endQueued !== undefined) {
      const trailers = this.#endQueued;
      this.#endQueued = undefined;
      this.#endNow(trailers);
    } else if (this.#blocked && !this.#session.congested) {
      this.#blocked = false;
      this.onSendReady();
    } else return !this.#blocked;
    return true;
  }

  /** Waits at most so long, in milliseconds; Infinity: not at all. */
  protected arm(ms: number): void {
    this.deadline = ms === NEVER ? NEVER : this.#session.now() + ms;
    this.#session.look(this.deadline);
  }

  /** Lets go of everything. Called by the session only. */
  drop(): void {
    this.closed = true;
    this.deadline = NEVER;
    let held = 0;
    for (const piece of this.#held ?? []) held += piece.length;
    if (held > 0) this.#session.credit(held);
    this.#held = this.#queue = undefined;
    this.#endHeld = this.#endQueued = undefined;
  }
}
