/** A connection of HTTP/2 from the moment it is dialled, and the requests that wait for it to stand. */

import { H2 } from '../../http/http2/frame.ts';
import { GatehouseError } from '../../kernel/error.ts';
import type { BodyLength, OutboundSink } from '../../kernel/exchange.ts';
import type { Timed } from '../../socket/deadlines.ts';
import type { Dialer, Dialing } from '../../socket/dial.ts';
import type { ProxyAddress } from '../../socket/proxy/header.ts';
import type { Wire } from '../../socket/wire.ts';
import type { Carrier } from '../carrier.ts';
import type { UpstreamConfig } from '../config.ts';
import { dialFailure, UNRESOLVED } from '../dialfailure.ts';
import type { ConnectionHost } from '../host.ts';
import { overdue } from '../overdue.ts';
import { ClientSession, type SessionOwner } from './session.ts';
import type { ClientStream, Try } from './stream.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** One connection. */
export class Http2Line implements Dialer, Timed, SessionOwner {
  deadline: number;
  slot = -1;
  /** Address it is connected to; '' when there was none. */
  readonly address: string;
  /** Address of the client that it was opened for; '' where it may serve all. */
  readonly client: string;
  session: ClientSession | undefined = undefined;
  closed = false;
  readonly #host: ConnectionHost;
  readonly #secure: boolean;
  readonly #onClosed: (line: Http2Line) => void;
  readonly #waiting = new Set<Http2Carrier>();
  readonly #connectAt: number;
  #dialing: Dialing | undefined = undefined;

  constructor(host: ConnectionHost, from: ProxyAddress | undefined, onClosed: (line: Http2Line) => void) {
    this.client = from?.address ?? '';
    this.#host = host;
    this.#onClosed = onClosed;
    this.#connectAt = host.clock.now() + host.config.timeouts.connect;
    this.deadline = this.#connectAt;
    host.deadlines.add(this);
    const target = host.target(from);
    this.address = target === undefined ? '' : target.address;
    this.#secure = target?.tls !== undefined;
    if (target !== undefined) this.#dialing = host.dial({ ...target, http2: true }, this);
    else queueMicrotask(() => this.onDialFailed(UNRESOLVED, 'its name has not been resolved', false));
  }

  /** Requests under way or waiting. */
  get active(): number {
    return this.session === undefined ? this.#waiting.size : this.session.active;
  }

  /** One more may be sent. */
  get room(): boolean {
    if (this.closed) return false;
    return this.session === undefined
      ? this.#waiting.size < (this.#host.config.http2?.streams ?? 1)
      : this.session.room;
  }

  wait(carrier: Http2Carrier, until: number): void {
    this.#waiting.add(carrier);
    this.deadline = Math.min(this.deadline, until);
  }

  leave(carrier: Http2Carrier): void {
    this.#waiting.delete(carrier);
  }

  onConnected(wire: Wire): void {
    this.#dialing = undefined;
    this.#host.deadlines.remove(this);
    if (this.closed) {
      wire.destroy();
      return;
    }
    wire.readsOut = true;
    this.session = new ClientSession(wire, this.#host, this.#secure, this);
    for (const carrier of [...this.#waiting]) {
      this.#waiting.delete(carrier);
      carrier.connected(this.session);
    }
    if (this.session.active === 0) this.session.retire();
  }

  onDialFailed(code: string, message: string, tls: boolean): void {
    const [kind, error] = dialFailure(code, message, tls);
    this.#fail(kind, error);
  }

  onDeadline(now: number): void {
    const { timeouts } = this.#host.config;
    if (now >= this.#connectAt) {
      const [code, what] = overdue('connect', timeouts);
      this.#fail(code, new GatehouseError(code, what));
      return;
    }
    this.deadline = this.#connectAt;
    for (const carrier of [...this.#waiting]) {
      if (carrier.until > now) {
        this.deadline = Math.min(this.deadline, carrier.until);
        continue;
      }
      this.#waiting.delete(carrier);
      carrier.overdue(now, timeouts);
    }
  }

  #fail(kind: string, error: GatehouseError): void {
    if (this.closed) return;
    this.#dialing?.cancel();
    this.#host.fault(kind);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.onClosed();
    for (const carrier of waiting) carrier.notConnected(error);
  }

  // The dialer's wire has another owner before any of these could come.
  onBytes(): void {}
  onEof(): void {}
  onDrain(): void {}
  onBroken(): void {}

  onClosed(): void {
    if (this.closed) return;
    this.closed = true;
    this.#host.deadlines.remove(this);
    this.#onClosed(this);
  }

  /** Takes no new request. */
  retire(): void {
    if (this.session !== undefined) this.session.retire();
    else if (this.#waiting.size === 0) {
      this.#dialing?.cancel();
      this.onClosed();
    }
  }
}

/** One try. */
export class Http2Carrier implements Carrier {
  /** When it must have been answered, in monotonic milliseconds. */
  until = NEVER;
  readonly #line: Http2Line;
  readonly #room: number;
  #stream: ClientStream | undefined = undefined;
  #try: Try | undefined = undefined;
  #head = '';
  #length: BodyLength = 0;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #trailers: string | undefined = undefined;

  /** `room`: bytes of body that are kept while the connection is made. */
  constructor(line: Http2Line, room: number) {
    this.#line = line;
    this.#room = room;
  }

  get connecting(): boolean {
    return this.#stream === undefined;
  }

  start(sink: OutboundSink, method: string, head: string, length: BodyLength, totalAt: number, tryAt: number): void {
    this.#try = { sink, method, totalAt, tryAt };
    const { session } = this.#line;
    if (session !== undefined) {
      this.#stream = session.open(this.#try, head, length);
      return;
    }
    this.#head = head;
    this.#length = length;
    this.until = Math.min(totalAt, tryAt);
    this.#line.wait(this, this.until);
  }

  connected(session: ClientSession): void {
    const what = this.#try as Try;
    const stream = session.open(what, this.#head, this.#length);
    this.#stream = stream;
    let ok = true;
    for (const piece of this.#pieces) ok = stream.write(piece, 0, piece.length);
    this.#pieces = [];
    if (this.#trailers !== undefined) stream.end(this.#trailers);
    else if (ok) what.sink?.onOutboundDrain();
  }

  notConnected(error: GatehouseError): void {
    const { sink } = this.#try as Try;
    sink?.onOutboundError(error, false, false);
  }

  /** It has waited too long for the connection. */
  overdue(now: number, timeouts: UpstreamConfig['timeouts']): void {
    const [code, what] = overdue(now >= (this.#try as Try).totalAt ? 'total' : 'perTry', timeouts);
    this.notConnected(new GatehouseError(code, what));
  }

  handOver(sink: OutboundSink): void {
    if (this.#try !== undefined) this.#try.sink = sink;
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#stream !== undefined) return this.#stream.write(buffer, start, end);
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
    this.#bytes += end - start;
    return this.#bytes < this.#room;
  }

  end(trailers: string): void {
    if (this.#stream !== undefined) this.#stream.end(trailers);
    else this.#trailers = trailers;
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  abort(): void {
    const what = this.#try;
    if (what !== undefined) what.sink = undefined;
    this.#line.leave(this);
    if (this.#stream !== undefined) this.#line.session?.cut(this.#stream, H2.CANCEL);
  }
}
