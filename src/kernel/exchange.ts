/**
 * One request and its answer, and the two faces between which the pump moves bytes. `listen/` implements `Inbound`,
 * `upstream/` implements `Outbound`; neither knows the other.
 *
 * Body bytes travel as (buffer, start, end) slices without framing. A slice is valid only during the call: the buffer
 * belongs to whoever read it from the socket. Who wants to keep bytes copies them.
 */
import type { GatehouseError } from './error.ts';
import type { Identity, TlsFacts } from './identity.ts';
import { USUAL_PRIORITY } from './priority.ts';

/** The fields of a head, looked up lazily in the bytes as they came. */
export interface Fields {
  /** Value of the first field of this name (lower case), without surrounding whitespace. */
  get(lowerName: string): string | undefined;
  /** How many field lines have this name (lower case). */
  count(lowerName: string): number;
  /** Calls back for each field line, in order, with the name as it was written. */
  each(visit: (name: string, value: string) => void): void;
}

/** A request's head after strict parsing. */
export interface RequestHead extends Fields {
  readonly method: string;
  /** Request target in origin form (`/path?query`), authority form (CONNECT) or `*`. */
  readonly target: string;
  /** Target up to the first `?`. Not decoded: what we match is what the upstream sees. */
  readonly path: string;
  /** Target after the first `?`, without it; empty when there is none. */
  readonly query: string;
  /** Host and port of the Host field (or absolute-form target), as written. */
  readonly authority: string;
  /** Host part of `authority` in lower case, without port. */
  readonly host: string;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly minor: 0 | 1;
}

/** A response's head after strict parsing. */
export interface ResponseHead extends Fields {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
}

/** How long a body is: a byte count, or one of the marks below. */
export type BodyLength = number;
/** No body and no framing fields (a GET request; 204, 304, answers to HEAD). */
export const LENGTH_NONE: BodyLength = -1;
/** Chunked: the length is known at the end. */
export const LENGTH_CHUNKED: BodyLength = -2;
/** Delimited by the end of the connection (responses only). */
export const LENGTH_CLOSE: BodyLength = -3;
/** Not HTTP any more: bytes both ways until an end closes (after a 101, RFC 9110 §7.8). */
export const LENGTH_TUNNEL: BodyLength = -4;

/** What the client's side tells about the request. */
export interface InboundSink {
  onRequestData(buffer: Buffer, start: number, end: number): void;
  /** The request is complete; `trailers` are field lines with CRLF, or ''. Of a tunnel: what the client says; it ends with both. */
  onRequestEnd(trailers: string): void;
  /** Everything written has left; write again. */
  onInboundDrain(): void;
  /** The client has gone, or broke the framing of its body (then `error` is to be answered if nothing was sent). */
  onInboundAbort(error: GatehouseError): void;
}

/** The other end of a client's socket. */
export interface Peer {
  /** IP address; `unix` on a unix socket. */
  readonly address: string;
  readonly port: number;
  /** A trusted hop: its forwarding fields are believed. */
  readonly trusted: boolean;
  /** What was shown on this connection last, for whoever checks credentials and for nobody else. */
  shown?: object | undefined;
}

/** The client's side of an exchange. */
export interface Inbound {
  /** Address of the peer, or of the client that trusted hops name. */
  readonly clientAddress: string;
  readonly peer: Peer;
  readonly listener: string;
  /** `http` or `https`, as the client sees it (after trusted hops). */
  readonly scheme: string;
  /** What TLS says about the connection; undefined without TLS on this hop. */
  readonly tls?: TlsFacts | undefined;
  /** `2` for HTTP/2; undefined for HTTP/1.x, whose minor version the head has. */
  readonly httpVersion?: string | undefined;
  /** Delivers the request body to `sink` from now on; what has arrived already is delivered before this returns. */
  start(sink: InboundSink): void;
  pause(): void;
  resume(): void;
  /** Sends a 1xx response (RFC 9110 §15.2). `fields` are lines with CRLF. */
  interim(status: number, fields: string): void;
  /** Closes the connection after this response, and says so in its head. */
  closeAfter(): void;
  /** Sends the final head: status line and `fields` (lines with CRLF, framing and connection fields excluded). */
  head(status: number, reason: string, fields: string, length: BodyLength): void;
  /** Sends body bytes. False: they wait in memory; write no more until `onInboundDrain`. */
  write(buffer: Buffer, start: number, end: number): boolean;
  /** Ends the response; the connection may go on with its next request. Of a tunnel: what the server says (FIN). */
  end(trailers: string): void;
  /** Ends visibly broken: no terminal chunk, the connection is closed (RFC 9112 §8). */
  abort(): void;
}

/** What the server's side tells about the response. */
export interface OutboundSink {
  onInterim(head: ResponseHead): void;
  onResponseHead(head: ResponseHead, length: BodyLength): void;
  onResponseData(buffer: Buffer, start: number, end: number): void;
  /** The response is complete; of a tunnel, what the server says. */
  onResponseEnd(trailers: string): void;
  onOutboundDrain(): void;
  /**
   * The try has failed. `sent`: request bytes have left and may have been processed; `reused`: on a kept connection, which
   * the server may simply have closed at that moment.
   */
  onOutboundError(error: GatehouseError, sent: boolean, reused: boolean): void;
}

/** The server's side of an exchange: one try at one endpoint. */
export interface Outbound {
  /** Sends body bytes. False: write no more until `onOutboundDrain`. */
  write(buffer: Buffer, start: number, end: number): boolean;
  /** The request is complete. */
  end(trailers: string): void;
  pause(): void;
  resume(): void;
  /** Cancels: the connection is closed at once, nothing is reported any more. */
  abort(): void;
}

/** Tokens that a request cost, as the provider reports them. */
export interface Usage {
  /** Prompt tokens, cached ones included. */
  inputTokens: number;
  outputTokens: number;
  /** Part of `inputTokens` that came from a prompt cache. */
  cachedInputTokens: number;
  /** Part of `outputTokens` spent on reasoning. */
  reasoningTokens: number;
}

/** Who says what was used: the server, a tokenizer here, or (in part at least) an estimate. */
export type UsageSource = '' | 'reported' | 'counted' | 'estimated';

/** The API family a request speaks; errors are answered in its shape. */
export type Protocol = 'openai' | 'anthropic' | 'grpc' | 'http';

/** Why and how an exchange ended. */
export type Outcome = 'open' | 'completed' | 'denied' | 'failed' | 'client_aborted' | 'upstream_aborted';

/** Who sees to an exchange while its body has no taker. */
export interface ExchangeOwner {
  /** The client has left. */
  abandoned(error: GatehouseError): void;
}

/**
 * What is known about one request while it passes, filled in by the stages. Observers read it when it has ended and
 * must not keep it. Times are monotonic milliseconds; 0 means "has not happened".
 */
export class Exchange {
  /** The client's side; a stage may put a decorator around it before anything has been answered. */
  inbound: Inbound;
  readonly head: RequestHead;
  owner: ExchangeOwner | undefined = undefined;
  /** Length of the request body as framed. */
  readonly requestLength: BodyLength;
  /** Unique id, also sent as `x-request-id`. */
  id = '';
  protocol: Protocol = 'http';
  /** OpenTelemetry `gen_ai.operation.name`-like: `chat`, `text_completion`, `responses`, `embeddings`, `messages`, `models`, or ''. */
  operation = '';
  route = '';
  /** Importance, from 0 to 100. */
  priority: number = USUAL_PRIORITY;
  /** Who calls, once that has been proved. */
  identity: Identity | undefined = undefined;
  /** Model as the client named it. */
  model = '';
  version = '';
  upstream = '';
  endpoint = '';
  /** True when the client asked for a stream. */
  stream = false;
  /** Status sent to the client; 0 before. */
  status = 0;
  outcome: Outcome = 'open';
  error: GatehouseError | undefined = undefined;
  tries = 0;
  /** Field lines, with CRLF, that its answer gets besides, such as a nonce for the next proof. */
  answerLines = '';
  /** Most bytes of body that the route takes; the listener's own limit holds besides. */
  bodyLimit = Number.POSITIVE_INFINITY;
  /** That. */
  bodyMost = Number.POSITIVE_INFINITY;
  requestBytes = 0;
  responseBytes = 0;
  /** As reported; else counted by a tokenizer, or estimated. */
  usage: Usage | undefined = undefined;
  /** Where `usage` comes from; '' where there is none. */
  usageSource: UsageSource = '';
  /** What it cost, in thousand-millionths of the currency; 0 where nothing has a price. */
  cost = 0;
  /** Budget → its key, for those that nothing else of an exchange tells. */
  charges: Readonly<Record<string, string>> | undefined = undefined;
  /** Number of its entry in the usage ledger; 0: it has none yet. */
  entry = 0;
  startedAt = 0;
  /** When the first try was sent upstream. */
  forwardedAt = 0;
  /** When the response head arrived. */
  firstByteAt = 0;
  /** When the first piece of generated content arrived in a stream. */
  firstTokenAt = 0;
  endedAt = 0;

  constructor(inbound: Inbound, head: RequestHead, requestLength: BodyLength) {
    this.inbound = inbound;
    this.head = head;
    this.requestLength = requestLength;
  }
}

/** Watches response bytes on their way; never changes or delays them. */
export interface Tap {
  data(buffer: Buffer, start: number, end: number): void;
  /** The response is complete (not called when it was cut). */
  end(): void;
}

/** Changes response bytes on their way; holds back an incomplete event, and what has come while it `waits`, never more. */
export interface Rewrite {
  /** Takes a slice in and passes slices on. */
  data(buffer: Buffer, start: number, end: number, pass: (buffer: Buffer, start: number, end: number) => void): void;
  /** It has ended the response by itself: the rest is not wanted, and the try is to be cancelled. */
  readonly done?: boolean;
  /** Whether what comes next may pass is being decided: no more is to be read. `decided` is called then, and `data` goes on with what was held. */
  readonly waits?: boolean;
  /** Set by whoever reads. */
  decided?: (() => void) | undefined;
  /** Ends the response now, between two slices, as its protocol ends one that is cut short; false: it cannot be ended here. */
  close?(pass: (buffer: Buffer, start: number, end: number) => void): boolean;
  /** Passes on what was held back. */
  end(pass: (buffer: Buffer, start: number, end: number) => void): void;
}
