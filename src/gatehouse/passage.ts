/** One request's way through the pipeline: what the stages have found out, and what ends it. */
import {
  errorBody,
  errorContentType,
  type Operation,
  type Produced,
  type RequestPeek,
  type StreamGuard,
  streamError,
  type UsageProgress,
} from '../ai/ai.ts';
import type { Price } from '../ai/cost.ts';
import type { FieldSection } from '../http/fields.ts';
import type { Request } from '../http/request.ts';
import { GatehouseError } from '../kernel/error.ts';
import type { Exchange, Outcome, ResponseHead } from '../kernel/exchange.ts';
import type { Gate } from '../kernel/gate.ts';
import type { Identity } from '../kernel/identity.ts';
import type { AccessGate } from '../policy/access/access.ts';
import type { Permit } from '../policy/authorize/authorize.ts';
import type { Admission } from '../policy/quota/quota.ts';
import type { CompiledModel, CompiledVersion } from '../route/model.ts';
import type { CompiledRoute } from '../route/route.ts';
import type { Forward } from '../upstream/forward.ts';
import type { ForwardEnd, ForwardPlan, ResponseShape } from '../upstream/plan.ts';
import type { Order } from '../upstream/queue/queue.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { account } from './account.ts';
import { answerLines, corsLines, errorLines, leftLines } from './answerlines.ts';
import { estimatedFor, reservedFor } from './demand.ts';
import { grpcFields } from './grpc.ts';
import type { Host } from './host.ts';
import type { Meter } from './meter.ts';
import { orderOf } from './order.ts';
import type { PaidTime } from './paidtime.ts';
import { REASONS } from './reasons.ts';
import { type Shaped, shapeResponse } from './shape.ts';
import type { Snapshot } from './snapshot.ts';
import { tokenizerOf } from './tokenizer.ts';

/** The stage has taken the exchange over: it has answered, or goes on when it has what it waits for. */
export const ANSWERED = Symbol('answered');

/** What a stage says: go on, stop with an error (perhaps later), or `ANSWERED`. */
export type Step = ReturnType<Gate> | typeof ANSWERED;

/** A stage of the pipeline. */
export type Stage = (passage: Passage) => Step;

/** What the worker offers to its passages. */
export type PassageHost = Host<Passage>;

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
  /** What was generated, kept for a tokenizer. */
  produced: Produced | undefined = undefined;
  /** A limit counts its tokens, so its body has to be read. */
  counted = false;
  /** Its tokens, where limits count them. */
  meter: Meter | undefined = undefined;
  /** Ends its stream when they are used up. */
  guard: StreamGuard | undefined = undefined;
  /** What was claimed of its limits; undefined where there are none. */
  admission: Admission | undefined = undefined;
  /** What its use costs, here and where it may go over to; undefined where nothing has a price. */
  price: Price | undefined = undefined;
  otherPrice: Price | undefined = undefined;
  /** Its time, where that costs money that a limit counts. */
  time: PaidTime | undefined = undefined;
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
  /** It waits for a place at a server. */
  ticket: { cancel(): void } | undefined = undefined;
  /** Where it may go over to another version: the step to go on with, and the body as it was. -1: nowhere. */
  spillStep = -1;
  given: Buffer | undefined = undefined;
  patience = Number.POSITIVE_INFINITY;
  /** On its way to an upstream, for a caller who is known or while its time is followed. */
  forwarding: Forward | undefined = undefined;
  /** Its caller as the credential said, before a plan was added. */
  caller: Identity | undefined = undefined;
  /** Place among the open calls; -1: none. */
  slot = -1;

  constructor(exchange: Exchange, worker: PassageHost) {
    this.exchange = exchange;
    this.head = exchange.head as Request;
    this.worker = worker;
    this.snapshot = worker.snapshot;
    exchange.owner = this;
  }

  /** Who counts its tokens where the server does not say; undefined: nobody. */
  get tokenizer(): string | undefined {
    return tokenizerOf(this);
  }

  elsewhere(error: GatehouseError): boolean {
    return this.spillStep >= 0 && this.worker.spill(this, error);
  }

  get upstream(): Upstream {
    return this.destination as Upstream;
  }

  order(waitedMs: number, patienceMs: number): Order {
    return orderOf(this, waitedMs, patienceMs);
  }

  /** The client has left while no part of the pipeline held its request. */
  abandoned(error: GatehouseError): void {
    const { exchange } = this;
    if (exchange.outcome !== 'open') return;
    this.ended(exchange, 'client_aborted', error);
    exchange.inbound.abort();
  }

  shape(head: ResponseHead): ResponseShape | undefined {
    return this.reads ? shapeResponse(this, head) : undefined;
  }

  responseFields(head: FieldSection, drop: number): string {
    return answerLines(this, head, drop);
  }

  reserved(): ReturnType<typeof reservedFor> {
    return reservedFor(this);
  }

  estimated(): Meter | undefined {
    return estimatedFor(this);
  }

  get tokens(): number {
    return this.progress === undefined ? 0 : this.progress.tokens;
  }

  /** Refuses before anything has been forwarded. */
  refuse(error: GatehouseError): void {
    this.exchange.outcome = 'denied';
    this.answer(this.exchange, error);
  }

  /** Ends it, whether it waits here or is with a server. */
  cutOff(error: GatehouseError): void {
    if (this.forwarding !== undefined) this.forwarding.cut(error);
    else if (this.exchange.outcome === 'open') this.refuse(error);
  }

  /** The money for its time is spent: ends its stream cleanly, and closes a tunnel, which has no end of its own; false: not now. */
  stop(): boolean {
    const { forwarding, exchange } = this;
    if (forwarding === undefined) return false;
    if (forwarding.stop()) return true;
    if (exchange.status !== 101) return false;
    forwarding.cut(new GatehouseError('insufficient_quota', 'the money for the time that it takes is spent'));
    return true;
  }

  answer(exchange: Exchange, error: GatehouseError): void {
    const fields = errorLines(error);
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

  /** Answers with a text of our own. */
  answerText(type: string, text: string): void {
    this.#send(200, type, '', text, 'completed');
  }

  /** Answers with what a service of ours has decided. `fields`: lines with CRLF, the content type among them. */
  answerWhole(status: number, fields: string, text: string): void {
    this.#send(status, '', fields, text, status < 400 ? 'completed' : 'denied');
  }

  /** An answer made here: counted, then sent whole. */
  #send(status: number, type: string, more: string, text: string, outcome: Outcome, error?: GatehouseError): void {
    const { exchange } = this;
    const { inbound, id } = exchange;
    const body = Buffer.from(text);
    const content = type === '' ? '' : `Content-Type: ${type}\r\n`;
    const own = `x-request-id: ${id}\r\nDate: ${this.worker.httpDate()}\r\n`;
    const fields = `${content}${own}${more}${corsLines(this)}${leftLines(this)}`;
    exchange.status = status;
    exchange.responseBytes = body.length;
    this.ended(exchange, outcome, error);
    inbound.head(status, REASONS.get(status) ?? 'Error', fields, body.length);
    inbound.write(body, 0, body.length);
    inbound.end('');
  }

  cutEvent(exchange: Exchange, shape: ResponseShape | undefined, error: GatehouseError): string {
    if (shape === undefined || this.operation === undefined || !exchange.stream) return '';
    if ((this.guard ?? this.progress)?.atBoundary !== true) return '';
    return streamError(this.operation, error);
  }

  ended(exchange: Exchange, outcome: Outcome, error: GatehouseError | undefined): void {
    exchange.outcome = outcome;
    exchange.error = error;
    exchange.endedAt = this.worker.clock.now();
    if (this.slot >= 0) this.worker.callers.remove(this);
    if (this.time !== undefined) this.worker.paidTimes.remove(this.time);
    this.ticket?.cancel();
    account(this);
    this.worker.held -= this.held;
    this.held = 0;
    this.worker.left();
  }
}
