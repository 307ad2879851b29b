/** The streams of a connection: whose turn it is to send, and how they end. */
import { DEFAULT_WINDOW, H2, MAX_WINDOW, readUint32 } from '../../http/http2/frame.ts';
import type { Malformed } from '../../http/http2/head.ts';
import type { Timed } from '../deadlines.ts';
import { COUNTED, FLOOD_KINDS } from './budget.ts';
import type { HostedStream } from './host.ts';
import { ResetMemory } from './memory.ts';
import { Http2Output } from './output.ts';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './table.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** See the file's head. */
export abstract class Http2Streams<S extends Http2Stream> extends Http2Output implements Timed {
  deadline = NEVER;
  slot = -1;
  /** Where the windows of new streams begin. */
  peerWindow = DEFAULT_WINDOW;
  protected readonly streams = new StreamTable<S>();
  protected readonly forgotten = new ResetMemory();
  /** The highest stream that the other side has opened. */
  protected lastPeerId = 0;
  /** Deadline of the connection itself. */
  protected ownAt = NEVER;
  readonly #row: S[] = [];

  /** Monotonic milliseconds. */
  abstract now(): number;
  /** Counts a condition of FAULTS.md. */
  abstract fault(kind: string): void;
  /** GOAWAY has been sent: the connection ends. */
  protected abstract onFailed(): void;
  /** A stream that neither side has opened yet. */
  protected abstract isIdle(id: number): boolean;
  /** No stream is left. */
  protected abstract onEmpty(): void;

  /** Resets a stream and tells who has it. */
  reset(stream: HostedStream, code: number, why: string): void {
    if (stream.closed) return;
    this.cut(stream, code);
    stream.onGone(code, why);
  }

  /** Resets a stream; who has it knows. */
  cut(stream: HostedStream, code: number): void {
    if (stream.closed) return;
    this.rst(stream.id, code);
    this.forgotten.add(stream.id);
    this.remove(stream);
    this.left();
  }

  /** Looks whether a stream is complete on both sides. */
  settle(stream: HostedStream): void {
    if (stream.closed || !stream.localEnded || !stream.remoteEnded) return;
    this.remove(stream);
    this.left();
  }

  protected add(stream: S): void {
    this.streams.add(stream);
    this.wire.gathers = this.streams.size > 1;
  }

  protected remove(stream: HostedStream): void {
    this.streams.delete(stream.id);
    this.wire.gathers = this.streams.size > 1;
    stream.drop();
  }

  protected left(): void {
    if (this.streams.size === 0 && !this.stopped) this.onEmpty();
  }

  /** Every stream ends, for the connection does. */
  protected abandon(code: number, why: string): void {
    this.stopped = true;
    for (const stream of this.streams.all()) {
      this.remove(stream);
      stream.onGone(code, why);
    }
    this.#row.length = 0;
  }

  /** A stream waits for window or wire. */
  wait(stream: HostedStream): void {
    if (stream.waiting) return;
    stream.waiting = true;
    this.#row.push(stream as S);
  }

  /** Lets streams that wait send, one piece each in turn. */
  protected pump(): void {
    const row = this.#row;
    for (let idle = 0; row.length > 0 && !this.congested && idle < row.length; ) {
      const stream = row.shift() as S;
      stream.waiting = false;
      if (stream.closed) continue;
      const before = this.sentFrames;
      if (!stream.pump()) this.wait(stream);
      idle = this.sentFrames === before ? idle + 1 : 0;
    }
  }

  /** Counts one of what may not be many. True: it was one too many, and the connection has failed. */
  protected flood(what: number): boolean {
    if (!this.budget.spend(what, this.now())) return false;
    this.fail(H2.ENHANCE_YOUR_CALM, FLOOD_KINDS[what] as string, 'more of that than this connection needs');
    return true;
  }

  /** The peer has done something that costs this stream, by its own mistake. */
  wrong(stream: HostedStream, code: number, kind: string, why: string): void {
    this.fault(kind);
    this.reset(stream, code, why);
    this.flood(COUNTED.RESET);
  }

  /** A message that must not be served. */
  malformed(stream: HostedStream, { kind, message }: Malformed): void {
    this.wrong(stream, H2.PROTOCOL_ERROR, kind, message);
  }

  /** A block that opens no stream, because it is malformed. */
  protected refuseBlock(id: number, code: number, kind: string): void {
    this.fault(kind);
    this.rst(id, code);
    this.forgotten.add(id);
    this.flood(COUNTED.RESET);
  }

  /** The peer has broken the protocol or a budget: GOAWAY, and no more. Always false. */
  fail(code: number, kind: string, message: string): false {
    if (this.stopped) return false;
    this.stopped = true;
    this.fault(kind);
    this.goaway(this.lastPeerId, code, message);
    this.abandon(H2.INTERNAL_ERROR, 'broke the protocol');
    this.onFailed();
    return false;
  }

  /** WINDOW_UPDATE has come. */
  protected windowUpdated(id: number, length: number, buffer: Buffer, start: number): void {
    if (length !== 4) {
      this.fail(H2.FRAME_SIZE_ERROR, 'h2_frame_size', 'WINDOW_UPDATE is not 4 octets');
      return;
    }
    if (this.flood(COUNTED.WINDOW)) return;
    const by = readUint32(buffer, start) % 2 ** 31;
    const stream = id === 0 ? undefined : this.streams.get(id);
    if (id === 0) {
      this.sendWindow += by;
      if (by === 0) this.fail(H2.PROTOCOL_ERROR, 'h2_window_update', 'WINDOW_UPDATE of 0 (RFC 9113 §6.9)');
      else if (this.sendWindow > MAX_WINDOW)
        this.fail(H2.FLOW_CONTROL_ERROR, 'h2_flow_control', 'a window of more than 2^31-1 octets');
      else this.pump();
    } else if (stream !== undefined) {
      stream.sendWindow += by;
      if (by === 0) this.wrong(stream, H2.PROTOCOL_ERROR, 'h2_window_update', 'WINDOW_UPDATE of 0');
      else if (stream.sendWindow > MAX_WINDOW)
        this.wrong(stream, H2.FLOW_CONTROL_ERROR, 'h2_flow_control', 'a window of more than 2^31-1 octets');
      else this.pump();
    } else if (this.isIdle(id))
      this.fail(H2.PROTOCOL_ERROR, 'h2_stream_id', 'WINDOW_UPDATE on a stream that is not open');
  }

  // ---- deadlines

  /** The connection's own deadline has passed; it has been cleared. */
  protected abstract overdue(): void;

  /** Something is to be looked at then. */
  look(at: number): void {
    if (at < this.deadline) this.deadline = at;
  }

  /** Sets the connection's own deadline, `ms` from now; Infinity: none. */
  protected own(ms: number): void {
    this.ownAt = ms === NEVER ? NEVER : this.now() + ms;
    this.look(this.ownAt);
  }

  onDeadline(now: number): void {
    this.deadline = NEVER;
    for (const stream of this.streams.all()) {
      if (stream.closed || stream.deadline > now) continue;
      stream.deadline = NEVER;
      stream.onOverdue(now);
    }
    if (this.ownAt <= now) {
      this.ownAt = NEVER;
      this.overdue();
    }
    for (const stream of this.streams.all()) this.look(stream.deadline);
    this.look(this.ownAt);
  }
}
