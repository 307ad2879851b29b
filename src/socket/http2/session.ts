/**
 * One connection of HTTP/2 in either direction: frames in and out, settings, flow control of the connection, header blocks,
 * and the budgets that keep a peer from making us work for nothing (RFC 9113). Who is client and who is server is said by
 * the classes that extend this one.
 */
import { HpackDecoder } from '../../http/http2/decoder.ts';
import {
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  frame,
  H2,
  MAX_FRAME,
  MAX_WINDOW,
  readUint32,
  SETTING,
  settingsPayload,
} from '../../http/http2/frame.ts';
import { type BlockKind, HeadCollector } from '../../http/http2/head.ts';
import { FrameReader, type FrameSink } from '../../http/http2/reader.ts';
import { readSettings } from '../../http/http2/settings.ts';
import type { WireOwner } from '../owner.ts';
import type { Wire } from '../wire.ts';
import { BlockBuffer, blockOf } from './block.ts';
import { COUNTED } from './budget.ts';
import type { SessionLimits, StreamHost } from './host.ts';
import type { Http2Stream } from './stream.ts';
import { Http2Streams } from './streams.ts';

const TABLE_SIZE = 4096;
/** A DATA frame of this size is worth a few control frames. */
const SOME_DATA = 1024;
const KNOWN_TYPES = 10;

/** See the file's head. */
export abstract class Http2Session<S extends Http2Stream = Http2Stream>
  extends Http2Streams<S>
  implements WireOwner, FrameSink, StreamHost
{
  /** Streams that the peer lets us open. */
  peerStreams = Number.POSITIVE_INFINITY;
  protected readonly collector = new HeadCollector();
  readonly #decoder = new HpackDecoder(TABLE_SIZE);
  readonly #reader = new FrameReader();
  readonly #block = new BlockBuffer();
  #greeted = false;

  constructor(wire: Wire, limits: SessionLimits) {
    super(wire, limits);
    wire.owner = this;
  }

  /** A whole header block of a stream that is not forgotten. */
  protected abstract onHeaders(id: number, ended: boolean, block: Buffer, start: number, end: number): void;
  protected abstract onGoaway(lastId: number, code: number): void;
  /** The answer to our PING. */
  protected abstract onPong(): void;

  /** Sends our settings, behind the client's preface where we are the client. */
  protected greet(settings: readonly (readonly [number, number])[]): void {
    this.wire.writeOwned(
      frame(
        FRAME.SETTINGS,
        0,
        0,
        settingsPayload([
          ...settings,
          [SETTING.INITIAL_WINDOW_SIZE, this.limits.window],
          [SETTING.MAX_HEADER_LIST_SIZE, this.limits.head],
        ]),
      ),
    );
    const more = this.limits.connectionWindow - DEFAULT_WINDOW;
    if (more > 0) {
      this.recvWindow += more;
      this.windowUpdate(0, more);
    }
  }

  /** In the middle of a header block, or of a frame other than DATA. */
  protected get waitsForRest(): boolean {
    return this.#reader.within || this.#block.id !== 0;
  }

  // ---- the wire

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.#reader.read(buffer, start, end, this);
  }

  abstract onEof(): void;
  abstract onBroken(code: number): void;

  onDrain(): void {
    this.congested = false;
    this.pump();
  }

  // ---- frames in

  onFrameError(code: number, kind: string, message: string): void {
    this.fail(code, kind, message);
  }

  onFrameHead(type: number, flags: number, id: number, length: number): boolean {
    if (length > MAX_FRAME) return this.fail(H2.FRAME_SIZE_ERROR, 'h2_frame_size', `a frame of ${length} octets`);
    if (!this.#greeted) {
      if (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0)
        return this.fail(H2.PROTOCOL_ERROR, 'h2_preface', 'the first frame is not SETTINGS (RFC 9113 §3.4)');
      this.#greeted = true;
    }
    if (this.#block.id !== 0) {
      if (type !== FRAME.CONTINUATION || id !== this.#block.id)
        return this.fail(H2.PROTOCOL_ERROR, 'h2_continuation', 'a header block is interrupted (RFC 9113 §6.10)');
      return true;
    }
    if (type === FRAME.DATA) return this.#dataHead(flags, id, length);
    if (type === FRAME.CONTINUATION)
      return this.fail(H2.PROTOCOL_ERROR, 'h2_continuation', 'CONTINUATION without HEADERS (RFC 9113 §6.10)');
    if (type >= KNOWN_TYPES) return !this.flood(COUNTED.UNKNOWN);
    const onStream = type <= FRAME.RST_STREAM || type === FRAME.PUSH_PROMISE;
    if (onStream ? id === 0 : type !== FRAME.WINDOW_UPDATE && id !== 0)
      return this.fail(H2.PROTOCOL_ERROR, 'h2_stream_id', 'a frame on a stream where it has no meaning');
    return true;
  }

  #dataHead(flags: number, id: number, length: number): boolean {
    if (id === 0 || this.isIdle(id))
      return this.fail(H2.PROTOCOL_ERROR, 'h2_stream_id', 'DATA on a stream that is not open (RFC 9113 §6.1)');
    if (length === 0 && (flags & FLAG.END_STREAM) === 0 && this.flood(COUNTED.EMPTY)) return false;
    this.recvWindow -= length;
    if (this.recvWindow < 0)
      return this.fail(H2.FLOW_CONTROL_ERROR, 'h2_flow_control', 'more DATA than the connection allows');
    const stream = this.streams.get(id);
    if (stream === undefined || stream.remoteEnded) {
      this.credit(length);
      if (stream === undefined && this.forgotten.has(id)) return true;
      this.fault('h2_stream_closed');
      if (stream === undefined) this.rst(id, H2.STREAM_CLOSED);
      else this.reset(stream, H2.STREAM_CLOSED, 'DATA behind the end of its stream');
      return !this.flood(COUNTED.RESET);
    }
    stream.recvWindow -= length;
    if (stream.recvWindow < 0)
      return this.fail(H2.FLOW_CONTROL_ERROR, 'h2_flow_control', `more DATA than stream ${id} allows`);
    if (length >= SOME_DATA) this.budget.moved();
    return true;
  }

  onData(id: number, buffer: Buffer, start: number, end: number): void {
    const stream = this.streams.get(id);
    if (stream !== undefined && !stream.remoteEnded) stream.receive(buffer, start, end);
  }

  onDataEnd(id: number, flags: number, length: number, data: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined || stream.remoteEnded) return;
    if (length > data) stream.credit(length - data);
    if ((flags & FLAG.END_STREAM) !== 0) stream.receiveEnd('');
  }

  onFrame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    const length = end - start;
    switch (type) {
      case FRAME.HEADERS:
      case FRAME.CONTINUATION:
        this.#headers(type, flags, id, buffer, start, end);
        break;
      case FRAME.PRIORITY:
        if (this.flood(COUNTED.PRIORITY)) break;
        if (length !== 5) this.fail(H2.FRAME_SIZE_ERROR, 'h2_frame_size', 'PRIORITY is not 5 octets');
        break;
      case FRAME.RST_STREAM:
        this.#rstStream(id, length, buffer, start);
        break;
      case FRAME.SETTINGS:
        this.#settings(flags, buffer, start, end);
        break;
      case FRAME.PUSH_PROMISE:
        this.fail(H2.PROTOCOL_ERROR, 'h2_push', 'PUSH_PROMISE is not welcome here');
        break;
      case FRAME.PING:
        if (length !== 8) this.fail(H2.FRAME_SIZE_ERROR, 'h2_frame_size', 'PING is not 8 octets');
        else if ((flags & FLAG.ACK) !== 0) this.onPong();
        else if (!this.flood(COUNTED.PING))
          this.wire.writeOwned(frame(FRAME.PING, FLAG.ACK, 0, buffer.subarray(start, end)));
        break;
      case FRAME.GOAWAY:
        if (length < 8) this.fail(H2.FRAME_SIZE_ERROR, 'h2_frame_size', 'GOAWAY is shorter than 8 octets');
        else this.onGoaway(readUint32(buffer, start) % 2 ** 31, readUint32(buffer, start + 4));
        break;
      case FRAME.WINDOW_UPDATE:
        this.windowUpdated(id, length, buffer, start);
        break;
    }
  }

  #headers(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    let from = start;
    let to = end;
    if (type === FRAME.HEADERS) {
      const span = blockOf(flags, id, buffer, start, end);
      if (span === undefined) {
        this.fail(H2.PROTOCOL_ERROR, 'h2_padding', 'HEADERS that is shorter than its padding, or depends on itself');
        return;
      }
      [from, to] = span;
      this.#block.begin(id, (flags & FLAG.END_STREAM) !== 0);
    } else if (from === to && this.flood(COUNTED.EMPTY)) return;
    const done = (flags & FLAG.END_HEADERS) !== 0;
    const { ended } = this.#block;
    if (done && this.#block.empty) {
      this.#block.end();
      this.onHeaders(id, ended, buffer, from, to);
      return;
    }
    this.#block.add(buffer, from, to);
    if (this.#block.frames > this.limits.floods.continuations || this.#block.size > this.limits.head + MAX_FRAME)
      this.fail(H2.ENHANCE_YOUR_CALM, 'h2_continuation_flood', 'a header block does not end');
    else if (done) {
      const whole = this.#block.end();
      this.onHeaders(id, ended, whole, 0, whole.length);
    }
  }

  /** Unfolds a block into the collector. False: the connection has failed. */
  protected unfold(kind: BlockKind, limit: number, block: Buffer, start: number, end: number): boolean {
    this.collector.begin(kind, limit);
    if (!this.#decoder.decode(block, start, end, this.collector.visit))
      return this.fail(H2.COMPRESSION_ERROR, 'h2_hpack', 'a header block cannot be decoded (RFC 7541)');
    if (!this.collector.bomb) return true;
    return this.fail(H2.ENHANCE_YOUR_CALM, 'h2_header_bomb', 'a header block unfolds to many times its limit');
  }

  /** Whether frames of a stream that is not there any more are to be expected. */
  protected isForgotten(id: number): boolean {
    return this.forgotten.has(id);
  }

  #rstStream(id: number, length: number, buffer: Buffer, start: number): void {
    if (length !== 4) this.fail(H2.FRAME_SIZE_ERROR, 'h2_frame_size', 'RST_STREAM is not 4 octets');
    else if (this.isIdle(id)) this.fail(H2.PROTOCOL_ERROR, 'h2_stream_id', 'RST_STREAM on a stream that is not open');
    else {
      const stream = this.streams.get(id);
      if (this.flood(COUNTED.RESET) || stream === undefined) return;
      this.remove(stream);
      this.forgotten.add(id);
      stream.onGone(readUint32(buffer, start), 'reset its stream');
      this.left();
    }
  }

  #settings(flags: number, buffer: Buffer, start: number, end: number): void {
    if ((flags & FLAG.ACK) !== 0) {
      if (end > start) this.fail(H2.FRAME_SIZE_ERROR, 'h2_frame_size', 'an acknowledgement with settings in it');
      return;
    }
    if (this.flood(COUNTED.SETTINGS)) return;
    const settings = readSettings(buffer, start, end);
    if (typeof settings === 'number') {
      this.fail(settings, 'h2_settings', 'settings that may not be (RFC 9113 §6.5.2)');
      return;
    }
    const { window, streams, tableSize } = settings;
    if (streams >= 0) this.peerStreams = streams;
    if (tableSize >= 0 && tableSize < TABLE_SIZE) this.encoder.shrink();
    if (window >= 0) {
      const by = window - this.peerWindow;
      this.peerWindow = window;
      for (const stream of this.streams.all()) {
        stream.sendWindow += by;
        if (stream.sendWindow > MAX_WINDOW) {
          this.fail(H2.FLOW_CONTROL_ERROR, 'h2_flow_control', 'a window of more than 2^31-1 octets');
          return;
        }
      }
    }
    this.wire.writeOwned(frame(FRAME.SETTINGS, FLAG.ACK, 0));
    if (window >= 0) this.pump();
  }
}
