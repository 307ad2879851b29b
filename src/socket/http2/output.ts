/** The sending half of a connection of HTTP/2: frames out, the windows of the connection, and header blocks. */
import { HpackEncoder } from '../../http/http2/encoder.ts';
import {
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  FRAME_HEAD,
  frame,
  MAX_FRAME,
  writeFrameHead,
  writeUint32,
} from '../../http/http2/frame.ts';
import { scratchBuffer } from '../cork.ts';
import type { Wire } from '../wire.ts';
import { FloodBudget } from './budget.ts';
import type { SessionLimits } from './host.ts';

/** See the file's head. */
export abstract class Http2Output {
  readonly wire: Wire;
  readonly limits: SessionLimits;
  /** What the peer lets us send on all streams together. */
  sendWindow = DEFAULT_WINDOW;
  /** Nothing that comes is looked at any more. */
  stopped = false;
  /** The wire has as much as it should. */
  congested = false;
  protected readonly encoder = new HpackEncoder();
  protected readonly budget: FloodBudget;
  /** What the peer may still send on all streams together. */
  protected recvWindow = DEFAULT_WINDOW;
  /** Frames that carried something of a stream. */
  protected sentFrames = 0;
  #uncredited = 0;

  constructor(wire: Wire, limits: SessionLimits) {
    this.wire = wire;
    this.limits = limits;
    this.budget = new FloodBudget(limits.floods);
  }

  protected goaway(lastId: number, code: number, message: string): void {
    const payload = Buffer.alloc(8 + message.length);
    writeUint32(payload, writeUint32(payload, 0, lastId), code);
    payload.write(message, 8, 'latin1');
    this.wire.writeOwned(frame(FRAME.GOAWAY, 0, 0, payload));
  }

  protected ping(): void {
    this.wire.writeOwned(frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
  }

  protected rst(id: number, code: number): void {
    const at = this.wire.reserve(FRAME_HEAD + 4);
    const out = scratchBuffer();
    this.#commit(writeUint32(out, writeFrameHead(out, at, 4, FRAME.RST_STREAM, 0, id), code));
  }

  /** Lets the peer send more; 0 stands for the connection. */
  windowUpdate(id: number, by: number): void {
    const at = this.wire.reserve(FRAME_HEAD + 4);
    const out = scratchBuffer();
    this.#commit(writeUint32(out, writeFrameHead(out, at, 4, FRAME.WINDOW_UPDATE, 0, id), by));
  }

  /** Octets of any stream that are used up. */
  credit(octets: number): void {
    this.#uncredited += octets;
    if (this.stopped || this.#uncredited < this.limits.connectionWindow >> 1) return;
    this.recvWindow += this.#uncredited;
    this.windowUpdate(0, this.#uncredited);
    this.#uncredited = 0;
  }

  sendData(id: number, buffer: Buffer, start: number, end: number, flags: number): void {
    const size = end - start;
    const at = this.wire.reserve(FRAME_HEAD + size);
    const out = scratchBuffer();
    buffer.copy(out, writeFrameHead(out, at, size, FRAME.DATA, flags, id), start, end);
    this.sendWindow -= size;
    this.sentFrames++;
    this.budget.moved();
    this.#commit(at + FRAME_HEAD + size);
  }

  /** An empty DATA frame that ends its stream. */
  sendEmpty(id: number): void {
    const at = this.wire.reserve(FRAME_HEAD);
    this.sentFrames++;
    this.#commit(writeFrameHead(scratchBuffer(), at, 0, FRAME.DATA, FLAG.END_STREAM, id));
  }

  /** A block of field lines that ends its stream. */
  sendTrailers(id: number, lines: string): void {
    this.encoder.begin();
    this.encoder.lines(lines);
    this.sendBlock(id, true);
  }

  /** Sends what the encoder has composed. */
  protected sendBlock(id: number, ended: boolean): void {
    const { block } = this.encoder;
    const { length } = block;
    let type: number = FRAME.HEADERS;
    let flags: number = ended ? FLAG.END_STREAM : 0;
    for (let from = 0; from < length || type === FRAME.HEADERS; from += MAX_FRAME) {
      const size = Math.min(MAX_FRAME, length - from);
      if (from + size >= length) flags |= FLAG.END_HEADERS;
      const at = this.wire.reserve(FRAME_HEAD + size);
      const out = scratchBuffer();
      const part = size === length ? block : block.slice(from, from + size);
      out.write(part, writeFrameHead(out, at, size, type, flags, id), 'latin1');
      this.sentFrames++;
      this.#commit(at + FRAME_HEAD + size);
      type = FRAME.CONTINUATION;
      flags = 0;
    }
  }

  #commit(end: number): void {
    if (!this.wire.commit(end)) this.congested = true;
  }
}
