/** One request's way through the pipeline: what the stages have found out, and what ends it. */
import {
  allowanceLines,
  errorBody,
  errorContentType,
  type Operation,
  type RequestPeek,
  streamError,
  type UsageProgress,
} from '../ai/ai.ts';
import type { Price } from '../ai/cost.ts';
import type { FieldSection } from '../http/fields.ts';
import type { Request } from '../http/request.ts';
import type { Clock } from '../kernel/clock.ts';
import type { GatehouseError } from '../kernel/error.ts';
import type { Events } from '../kernel/event.ts';
import type { Exchange, Outcome, ResponseHead, Usage } from '../kernel/exchange.ts';
import type { Gate } from '../kernel/gate.ts';
import type { TlsShared } from '../listen/tlsshared.ts';
import type { AccessGate } from '../policy/access/access.ts';
import type { Permit } from '../policy/authorize/authorize.ts';
import type { Chaos } from '../policy/chaos/chaos.ts';
import type { Overload } from '../policy/overload/overload.ts';
import type { Admission, Quota } from '../policy/quota/quota.ts';
import type { CompiledModel, CompiledVersion } from '../route/model.ts';
import { type CompiledRoute, leavesOut } from '../route/route.ts';
import type { ForwardEnd, ForwardPlan, ResponseShape } from '../upstream/plan.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { costOfPassage } from './cost.ts';
import { usedBy } from './demand.ts';
import { grpcFields } from './grpc.ts';
import { type Shaped, shapeResponse } from './shape.ts';
import type { Snapshot } from './snapshot.ts';

/** The stage has taken the exchange over: it has answered, or goes on when it has what it waits for. */
export const ANSWERED = Symbol('answered');

/** What a stage says: go on, stop with an error (perhaps later), or `ANSWERED`. */
export type Step = ReturnType<Gate> | typeof ANSWERED;

/** A stage of the pipeline. */
export type Stage = (passage: Passage) => Step;

/** What the worker offers to its passages. */
export interface PassageHost {
  readonly clock: Clock;
  readonly events: Events;
  readonly snapshot: Snapshot;
  /** Faults on purpose; undefined while there are none. */
  readonly chaos: Chaos | undefined;
  readonly overload: Overload;
  /** Knows the challenges of certification authorities that are under way. */
  readonly tls: TlsShared;
  readonly quota: Quota;
  /** Requests that are here now. */
  readonly underWay: number;
  /** Name of this instance in Via. */
  readonly pseudonym: string;
  /** Start of this worker in seconds since 1970, as `created` of the models it lists. */
  readonly createdAt: number;
  /** A new request id. */
  requestId(): string;
  /** Now as an HTTP date. */
  httpDate(): string;
  /** Counts a condition of FAULTS.md. */
  fault(kind: string): void;
  /** Runs the stages from where the passage stands. */
  proceed(passage: Passage): void;
  /** Why what requests use cannot be written down; '' while it can. */
  readonly ledgerTrouble: string;
  /** Bytes of request bodies held now, by all passages. */
  held: number;
  /** An exchange has ended. */
  left(): void;
}

/** A request on its way. The plan of how it is forwarded, and the end of it. */
export class Passage implements ForwardPlan, ForwardEnd, Shaped {
  readonly exchange: Exchange;
  readonly head: Request;
  readonly worker: PassageHost;
  readonly snapshot: Snapshot;
  /** The next stage. */
  step = 0;
  operation: Operation | undefined = undefined;
  /** The path by which `operation` was told. */
  apiPath = '';
  route: CompiledRoute | undefined = undefined;
  /** The gate that has let it pass. */
  gate: AccessGate | undefined = undefined;
  /** What its caller may do, once that was looked up. */
  permit: Permit | undefined = undefined;
  /** The route that it was permitted. */
  permitted: CompiledRoute | undefined = undefined;
  /** What decides whether it may go on stands in the body. */
  judgesBody = false;
  model: CompiledModel | undefined = undefined;
  version: CompiledVersion | undefined = undefined;
  peek: RequestPeek | undefined = undefined;
  /** Gatehouse asks the upstream for usage that the client did not ask for. */
  asksUsage = false;
  /** The answer is read for usage. */
  reads = false;
  progress: UsageProgress | undefined = undefined;
  /** What was claimed of its limits; undefined where there are none. */
  admission: Admission | undefined = undefined;
  /** What its use costs; undefined where nothing has a price. */
  price: Price | undefined = undefined;
  // The plan.
  destination: Upstream | undefined = undefined;
  hashKey: string | undefined = undefined;
  target = '';
  host = '';
  fields = '';
  body: Buffer | undefined = undefined;
  /** Bytes of the body that count as held. */
  held = 0;
  upgrade = '';
  patience = Number.POSITIVE_INFINITY;

  constructor(exchange: Exchange, worker: PassageHost) {
    this.exchange = exchange;
    this.head = exchange.head as Request;
    this.worker = worker;
    this.snapshot = worker.snapshot;
  }

  get upstream(): Upstream {
    return this.destination as Upstream;
  }

  shape(head: ResponseHead): ResponseShape | undefined {
    return this.reads ? shapeResponse(this, head) : undefined;
  }

  responseFields(head: FieldSection, drop: number): string {
    const changes = this.route?.responseFields;
    const left = this.#leftLines();
    if (changes === undefined) return head.lines(drop) + left;
    return head.linesWhere(drop, (name) => !leavesOut(changes, name)) + changes.lines + left;
  }

  get tokens(): number {
    return this.progress === undefined ? 0 : this.progress.tokens;
  }

  /** Refuses before anything has been forwarded. */
  refuse(error: GatehouseError): void {
    this.exchange.outcome = 'denied';
    this.answer(this.exchange, error);
  }

  answer(exchange: Exchange, error: GatehouseError): void {
    let fields = `Proxy-Status: gatehouse; error=${error.proxyError}; details="${error.code}"\r\n`;
    if (error.retryAfterMs !== undefined)
      fields += `Retry-After: ${Math.max(1, Math.ceil(error.retryAfterMs / 1000))}\r\n`;
    if (error.code === 'method_not_allowed') fields += ALLOW;
    for (const [name, value] of error.fields ?? []) fields += `${name}: ${value}\r\n`;
    if (error.close) exchange.inbound.closeAfter();
    const outcome = exchange.outcome === 'denied' ? 'denied' : 'failed';
    const { protocol, id } = exchange;
    if (protocol === 'grpc') {
      this.#sendGrpc(error, fields, outcome);
      return;
    }
    this.#send(error.status, errorContentType(protocol), fields, errorBody(protocol, error, id), outcome, error);
  }

  /** As gRPC has it: always 200, and all of it in one head. */
  #sendGrpc(error: GatehouseError, more: string, outcome: Outcome): void {
    const { exchange } = this;
    exchange.status = 200;
    this.ended(exchange, outcome, error);
    const fields = `${grpcFields(error)}x-request-id: ${exchange.id}\r\nDate: ${this.worker.httpDate()}\r\n${more}`;
    exchange.inbound.head(200, 'OK', fields, 0);
    exchange.inbound.end('');
  }

  /** Answers with a JSON document of our own. */
  answerJson(text: string): void {
    this.answerText('application/json', text);
  }

  /** Answers with a text of our own. */
  answerText(type: string, text: string): void {
    this.#send(200, type, '', text, 'completed');
  }

  /** Says what may be asked for here (RFC 9110 §9.3.7). */
  answerOptions(): void {
    this.#send(200, '', ALLOW, '', 'completed');
  }

  /** An answer made here: counted, then sent whole. */
  #send(status: number, type: string, more: string, text: string, outcome: Outcome, error?: GatehouseError): void {
    const { exchange } = this;
    const { inbound, id } = exchange;
    const body = Buffer.from(text);
    const content = type === '' ? '' : `Content-Type: ${type}\r\n`;
    const own = `x-request-id: ${id}\r\nDate: ${this.worker.httpDate()}\r\n`;
    const fields = `${content}${own}${more}${this.#leftLines()}`;
    exchange.status = status;
    exchange.responseBytes = body.length;
    this.ended(exchange, outcome, error);
    inbound.head(status, REASONS.get(status) ?? 'Error', fields, body.length);
    inbound.write(body, 0, body.length);
    inbound.end('');
  }

  /** What the caller has left of its limits. */
  #leftLines(): string {
    const { admission, exchange, worker } = this;
    if (admission === undefined) return '';
    const now = worker.clock.now();
    const [requests, tokens] = [admission.left('requests', now), admission.left('tokens', now)];
    const [inputTokens, outputTokens] = [admission.left('inputTokens', now), admission.left('outputTokens', now)];
    if ((requests ?? tokens ?? inputTokens ?? outputTokens) === undefined) return '';
    return allowanceLines(exchange.protocol, { requests, tokens, inputTokens, outputTokens }, worker.clock.wall());
  }

  cutEvent(exchange: Exchange, shape: ResponseShape | undefined, error: GatehouseError): string {
    if (shape === undefined || this.operation === undefined || !exchange.stream || this.progress?.atBoundary !== true)
      return '';
    return streamError(this.operation, error);
  }

  ended(exchange: Exchange, outcome: Outcome, error: GatehouseError | undefined): void {
    exchange.outcome = outcome;
    exchange.error = error;
    exchange.usage = this.progress === undefined ? undefined : settle(this.progress, outcome);
    exchange.endedAt = this.worker.clock.now();
    if (this.price !== undefined) exchange.cost = costOfPassage(this, exchange);
    if (this.admission !== undefined) {
      if (exchange.cost > 0) exchange.charges = this.admission.charges();
      this.admission.end(usedBy(this));
    }
    this.worker.events.emit('requestEnded', exchange);
    this.worker.held -= this.held;
    this.held = 0;
    this.worker.left();
  }
}

/** Usage as reported. Of a stream that was cut what was generated so far is known by its pieces only, and was paid for. */
function settle(progress: UsageProgress, outcome: Outcome): Usage | undefined {
  const { usage, tokens } = progress;
  if (outcome === 'completed' || tokens <= (usage?.outputTokens ?? 0)) return usage;
  return {
    inputTokens: usage?.inputTokens ?? 0,
    outputTokens: tokens,
    cachedInputTokens: usage?.cachedInputTokens ?? 0,
    reasoningTokens: usage?.reasoningTokens ?? 0,
  };
}

/** Methods that pass, as far as this gateway is concerned. */
const ALLOW = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';

const REASONS = new Map([
  [200, 'OK'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [408, 'Request Timeout'],
  [411, 'Length Required'],
  [413, 'Content Too Large'],
  [414, 'URI Too Long'],
  [415, 'Unsupported Media Type'],
  [417, 'Expectation Failed'],
  [421, 'Misdirected Request'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [499, 'Client Closed Request'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
  [505, 'HTTP Version Not Supported'],
  [508, 'Loop Detected'],
]);
