/** A connection of HTTP/2 to a server, with as many exchanges at once as both sides allow. */
import { FRAME, frame, H2, PREFACE, SETTING } from '../../http/http2/frame.ts';
import { LENGTH_NONE } from '../../kernel/exchange.ts';
import { Http2Session } from '../../socket/http2/session.ts';
import type { Wire } from '../../socket/wire.ts';
import type { UpstreamConfig } from '../config.ts';
import type { ConnectionHost } from '../host.ts';
import { type ClientHost, ClientStream, type Try } from './stream.ts';

/** Indexes of the static table (RFC 7541 appendix A). */
const METHOD: ReadonlyMap<string, number> = new Map([
  ['GET', 2],
  ['POST', 3],
]);
const SCHEME_HTTP = 6;
const SCHEME_HTTPS = 7;
/** What servers may make a connection do for nothing: they are trusted more than clients, and not without end. */
const FLOODS = { resets: 10_000, control: 5000, empty: 1000, continuations: 64, per: 10_000 };
const LAST_ID = 2 ** 31 - 3;

/** What the connection's owner hears. */
export interface SessionOwner {
  onClosed(): void;
}

/** See the file's head. */
export class ClientSession extends Http2Session<ClientStream> implements ClientHost {
  /** No new request is taken. */
  leaving = false;
  requests = 0;
  readonly #host: ConnectionHost;
  readonly #owner: SessionOwner;
  readonly #secure: boolean;
  #nextId = 1;
  #closed = false;
  /** A PING is on its way, and nothing has come since. */
  #pinged = false;

  constructor(wire: Wire, host: ConnectionHost, secure: boolean, owner: SessionOwner) {
    const { http2, limits } = host.config;
    const { window, connectionWindow, streams } = http2 as NonNullable<typeof http2>;
    super(wire, { window, connectionWindow, head: limits.head, streams, floods: FLOODS });
    this.#host = host;
    this.#owner = owner;
    this.#secure = secure;
    host.deadlines.add(this);
    wire.writeOwned(PREFACE);
    this.greet([
      [SETTING.ENABLE_PUSH, 0],
      [SETTING.MAX_CONCURRENT_STREAMS, 0],
    ]);
    wire.resume();
  }

  get config(): UpstreamConfig {
    return this.#host.config;
  }

  now(): number {
    return this.#host.clock.now();
  }

  fault(kind: string): void {
    this.#host.fault(kind);
  }

  /** Requests under way. */
  get active(): number {
    return this.streams.size;
  }

  /** One more may be sent. */
  get room(): boolean {
    return !this.leaving && !this.stopped && this.streams.size < Math.min(this.limits.streams, this.peerStreams);
  }

  /** Sends a request head, as `requestHead` composes it. */
  open(what: Try, head: string, length: number): ClientStream {
    const id = this.#nextId;
    this.#nextId += 2;
    this.requests++;
    if (this.requests >= this.config.pool.requestsPerConnection || this.#nextId > LAST_ID) this.leaving = true;
    const stream = new ClientStream(this, id, what);
    this.add(stream);
    this.#compose(head);
    const ended = length === LENGTH_NONE || length === 0;
    this.sendBlock(id, ended);
    if (ended) stream.headEnds();
    this.#watch();
    return stream;
  }

  /** Field lines of HTTP/1.1 as a block: the pseudo-fields stand first. */
  #compose(head: string): void {
    const { encoder } = this;
    const methodEnd = head.indexOf(' ');
    const targetEnd = head.indexOf(' ', methodEnd + 1);
    const lineEnd = head.indexOf('\r\n', targetEnd);
    const hostEnd = head.indexOf('\r\n', lineEnd + 2);
    const method = head.slice(0, methodEnd);
    const index = METHOD.get(method);
    encoder.begin();
    if (index !== undefined) encoder.indexed(index);
    else encoder.field(':method', method);
    encoder.indexed(this.#secure ? SCHEME_HTTPS : SCHEME_HTTP);
    encoder.field(':authority', head.slice(head.indexOf(' ', lineEnd) + 1, hostEnd));
    encoder.field(':path', head.slice(methodEnd + 1, targetEnd));
    encoder.lines(head, hostEnd + 2);
  }

  // ---- what the server says

  override onBytes(buffer: Buffer, start: number, end: number): void {
    this.#pinged = false;
    super.onBytes(buffer, start, end);
  }

  protected isIdle(id: number): boolean {
    return id >= this.#nextId || id % 2 === 0;
  }

  protected onHeaders(id: number, ended: boolean, block: Buffer, start: number, end: number): void {
    if (this.isIdle(id)) {
      this.fail(H2.PROTOCOL_ERROR, 'h2_stream_id', 'HEADERS on a stream that is not open');
      return;
    }
    const { limits } = this.config;
    const stream = this.streams.get(id);
    const kind = stream?.answered === true ? 'trailers' : 'response';
    if (!this.unfold(kind, limits.head, block, start, end)) return;
    if (stream === undefined) return;
    if (stream.remoteEnded) this.wrong(stream, H2.STREAM_CLOSED, 'h2_stream_closed', 'answered twice');
    else stream.onBlock(this.collector, limits, ended);
  }

  protected onGoaway(lastId: number): void {
    this.leaving = true;
    for (const stream of this.streams.all()) {
      if (stream.id <= lastId) continue;
      stream.untouched();
      this.remove(stream);
      stream.onGone(H2.REFUSED_STREAM, 'is leaving');
    }
    if (this.streams.size === 0) this.close();
  }

  protected onPong(): void {}

  protected onEmpty(): void {
    if (this.leaving) this.close();
    else this.own(this.config.pool.idleTimeout);
  }

  onEof(): void {
    this.#lost('closed the connection');
  }

  onBroken(): void {
    this.#lost('broke the connection');
  }

  #lost(why: string): void {
    this.abandon(H2.INTERNAL_ERROR, why);
    this.close();
  }

  protected onFailed(): void {
    this.close();
  }

  /** While requests are under way, a server that says nothing is asked whether it is still there. */
  #watch(): void {
    const { ping } = this.config.http2 as NonNullable<UpstreamConfig['http2']>;
    if (ping > 0 && this.streams.size === 1) this.own(ping);
  }

  protected overdue(): void {
    const { ping } = this.config.http2 as NonNullable<UpstreamConfig['http2']>;
    if (this.streams.size === 0) {
      this.goaway(0, H2.NO_ERROR, '');
      this.close();
    } else if (this.#pinged) {
      this.fault('h2_ping_timeout');
      this.#lost('did not answer a PING');
    } else if (ping > 0) {
      this.#pinged = true;
      this.wire.writeOwned(frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
      this.own(ping);
    }
  }

  /** Takes no new request, and closes with the last one under way. */
  retire(): void {
    this.leaving = true;
    if (this.streams.size === 0) this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = this.stopped = true;
    this.#host.deadlines.remove(this);
    this.wire.destroy();
    this.#owner.onClosed();
  }
}
