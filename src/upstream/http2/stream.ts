/** The server's side (`Outbound`) of one exchange on a stream of HTTP/2. */
import { HttpFault } from '../../http/fault.ts';
import { H2, h2ErrorName } from '../../http/http2/frame.ts';
import { type HeadCollector, Malformed } from '../../http/http2/head.ts';
import type { ResponseLimits } from '../../http/response.ts';
import { GatehouseError } from '../../kernel/error.ts';
import type { OutboundSink } from '../../kernel/exchange.ts';
import type { HostedStream, StreamHost } from '../../socket/http2/host.ts';
import { Http2Stream } from '../../socket/http2/stream.ts';
import type { UpstreamConfig } from '../config.ts';
import { cutShort, unanswered } from '../failure.ts';
import { overdue } from '../overdue.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** The connection as a stream to a server sees it. */
export interface ClientHost extends StreamHost {
  readonly config: UpstreamConfig;
  /** Requests on this connection so far. */
  readonly requests: number;
  fault(kind: string): void;
  cut(stream: HostedStream, code: number): void;
}

/** What a stream is opened for. */
export interface Try {
  sink: OutboundSink | undefined;
  readonly method: string;
  readonly totalAt: number;
  readonly tryAt: number;
}

/** One request on its way. */
export class ClientStream extends Http2Stream {
  readonly #host: ClientHost;
  readonly #try: Try;
  #tryAt: number;
  #interims = 0;
  #headSeen = false;
  /** The server had not looked at it. */
  #untouched = false;

  constructor(host: ClientHost, id: number, what: Try) {
    super(host, id);
    this.#host = host;
    this.#try = what;
    this.#tryAt = what.tryAt;
    this.resumeBody();
    this.#wait(NEVER);
  }

  /** The final head has come. */
  get answered(): boolean {
    return this.#headSeen;
  }

  /** Our side is complete: the answer may be awaited. */
  protected override onSent(): void {
    if (!this.#headSeen) this.#wait(this.#host.config.timeouts.firstByte);
  }

  /** The head was all of the request. */
  headEnds(): void {
    this.endedBy();
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    const ok = this.send(buffer, start, end, false);
    if (!ok) this.#wait(this.#host.config.timeouts.idle);
    return ok;
  }

  end(trailers: string): void {
    this.sendEnd(trailers);
  }

  pause(): void {
    this.pauseBody();
    this.#wait(NEVER);
  }

  resume(): void {
    this.resumeBody();
    if (!this.closed && this.#headSeen) this.#wait(this.#host.config.timeouts.idle);
  }

  /** A block of this stream, collected: head, interim head or trailers. */
  onBlock(collector: HeadCollector, limits: ResponseLimits, ended: boolean): void {
    if (this.#headSeen) {
      const trailers = collector.trailers({ fields: limits.fields, trailers: limits.head });
      if (typeof trailers === 'string' && ended) this.receiveEnd(trailers);
      else this.#invalid(typeof trailers === 'string' ? 'trailers that do not end the answer' : trailers.message);
      return;
    }
    const head = collector.response(this.#try.method, limits, ended);
    if (head instanceof HttpFault || head instanceof Malformed) {
      this.#host.fault(head.kind);
      this.#invalid(head.message);
      return;
    }
    if (head.status < 200) {
      if (ended || ++this.#interims > this.#host.config.limits.interim) this.#invalid('too many 1xx responses');
      else this.#try.sink?.onInterim(head);
      return;
    }
    this.#headSeen = true;
    this.#tryAt = NEVER;
    this.expected = head.length;
    this.#wait(this.#host.config.timeouts.idle);
    this.#try.sink?.onResponseHead(head, head.length);
    if (ended && !this.closed) this.receiveEnd('');
  }

  protected onBody(buffer: Buffer, start: number, end: number): void {
    this.#wait(this.#host.config.timeouts.idle);
    this.#try.sink?.onResponseData(buffer, start, end);
  }

  protected onBodyEnd(trailers: string): void {
    const { sink } = this.#try;
    this.#try.sink = undefined;
    // An early answer: the rest of the request is of no use.
    if (!this.localEnded) this.#host.cut(this, H2.NO_ERROR);
    sink?.onResponseEnd(trailers);
  }

  protected onSendReady(): void {
    this.#wait(this.#headSeen ? this.#host.config.timeouts.idle : NEVER);
    this.#try.sink?.onOutboundDrain();
  }

  /** The server will not look at it: it may be sent again. */
  untouched(): void {
    this.#untouched = true;
  }

  onGone(code: number, why: string): void {
    if (this.#untouched || code === H2.REFUSED_STREAM) {
      this.#untouched = true;
      this.#fail('h2_refused', new GatehouseError('upstream_reset', 'the server did not take the request'));
    } else if (code === H2.PROTOCOL_ERROR && why !== 'reset its stream') this.#invalid(why);
    else {
      const what = `the server ${why}${why === 'reset its stream' ? ` (${h2ErrorName(code)})` : ''}`;
      if (this.#headSeen) this.#fail('upstream_cut_short', cutShort(what));
      else this.#fail('upstream_reset', unanswered(what));
    }
  }

  onOverdue(now: number): void {
    const { totalAt } = this.#try;
    const { timeouts } = this.#host.config;
    const waits = this.localEnded && !this.#headSeen;
    const late = now >= totalAt ? 'total' : now >= this.#tryAt ? 'perTry' : waits ? 'firstByte' : 'idle';
    const [code, what] = overdue(late, timeouts);
    this.#host.cut(this, H2.CANCEL);
    this.#fail(code, new GatehouseError(code, what));
  }

  #invalid(message: string): void {
    this.#host.cut(this, H2.PROTOCOL_ERROR);
    this.#fail(
      'upstream_protocol',
      new GatehouseError('upstream_protocol', `the server's answer is not valid HTTP: ${message}`),
    );
  }

  #fail(kind: string, error: GatehouseError): void {
    const { sink } = this.#try;
    this.#try.sink = undefined;
    if (sink === undefined) return;
    this.#host.fault(kind);
    sink.onOutboundError(error, !this.#untouched, this.#host.requests > 1);
  }

  #wait(ms: number): void {
    const at = ms === NEVER ? NEVER : this.#host.now() + ms;
    this.deadline = Math.min(at, this.#try.totalAt, this.#tryAt);
    this.#host.look(this.deadline);
  }
}
