/**
 * One client connection speaking HTTP/1.x: reads requests one after the other and opens an exchange for each. Pipelined
 * requests wait until the one before is answered.
 */
import { HttpFault } from '../http/fault.ts';
import { checkPartialHead, findHeadEnd } from '../http/head.ts';
import { parseRequest, Request } from '../http/request.ts';
import { GatehouseError } from '../kernel/error.ts';
import type { Peer } from '../kernel/exchange.ts';
import type { TlsFacts } from '../kernel/identity.ts';
import type { Timed } from '../socket/deadlines.ts';
import type { WireOwner } from '../socket/owner.ts';
import type { Wire } from '../socket/wire.ts';
import type { Host } from './host.ts';
import { ServerExchange } from './inbound.ts';
import { trustedClient } from './peer.ts';
import type { Drainable, ListenerRuntime } from './runtime.ts';
import type { Secured } from './tls.ts';
import { InputWindow } from './window.ts';

const IDLE = 0;
const HEAD = 1;
const EXCHANGE = 2;
const LINGER = 3;
const CLOSED = 4;

const NEVER = Number.POSITIVE_INFINITY;
const CR = 13;
const LF = 10;
/**
 * While draining: how long an idle connection still waits for a request (milliseconds). Closing it at once would cut a
 * request that is on its way; the next answer says `Connection: close` and ends it in order.
 */
const LAST_CALL_MS = 1000;
/** Empty lines that may stand before a request. */
const EMPTY_LINES = 4;

/** A client connection. */
export class ServerConnection implements WireOwner, Host, Timed, Drainable {
  deadline = NEVER;
  slot = -1;
  eof = false;
  readonly runtime: ListenerRuntime;
  readonly peer: Peer;
  readonly wire: Wire;
  readonly input = new InputWindow();
  #state = IDLE;
  #exchange: ServerExchange | undefined = undefined;
  #advancing = false;
  /** An empty line has come before the request that is awaited. */
  #emptyLines = 0;
  #requests = 0;
  /** No further request after the one under way. */
  #draining = false;

  readonly tls: TlsFacts | undefined;
  readonly #standing: Secured['standing'] | undefined;

  constructor(wire: Wire, peer: Peer, runtime: ListenerRuntime, secured?: Secured) {
    this.wire = wire;
    this.tls = secured?.facts;
    this.#standing = secured?.standing;
    this.peer = peer;
    this.runtime = runtime;
    this.#arm(runtime.timeouts.head);
    wire.owner = this;
    runtime.deadlines.add(this);
    wire.resume();
  }

  /** The connection ends as soon as that cuts nothing. */
  get draining(): boolean {
    return this.#draining || this.runtime.draining;
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#state === LINGER || this.#state === CLOSED) return;
    this.input.add(buffer, start, end);
    this.#advance();
    this.input.keep(buffer);
    if (this.#state === EXCHANGE && this.input.size > this.runtime.limits.pipelined) this.wire.pause();
  }

  /** Goes as far as what has arrived allows. Not recursive: an answer given at once comes back to this loop. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    while (!this.input.empty) {
      if (this.#exchange !== undefined) {
        const exchange = this.#exchange;
        exchange.feed();
        if (this.#exchange === exchange) break;
      } else if (this.#state === IDLE || this.#state === HEAD) {
        if (!this.#readHead()) break;
      } else this.input.drop();
    }
    this.#advancing = false;
    if (this.eof) this.#exhausted();
  }

  /** No more will come, and all that has come has been looked at. */
  #exhausted(): void {
    const exchange = this.#exchange;
    if (exchange !== undefined) {
      if (this.input.empty) exchange.halfClosed();
    } else if (this.#state === IDLE || this.#state === HEAD) {
      if (this.#state === HEAD) this.runtime.fault('head_cut_short');
      this.#shut(true);
    }
  }

  #readHead(): boolean {
    const { input, runtime } = this;
    const { limits } = runtime;
    // A few empty lines before a request are let pass (RFC 9112 §2.2), in whatever pieces they come.
    while (
      this.#emptyLines < EMPTY_LINES &&
      input.size >= 2 &&
      input.buffer[input.at] === CR &&
      input.buffer[input.at + 1] === LF
    ) {
      input.at += 2;
      this.#emptyLines++;
      if (input.empty) {
        this.#state = IDLE;
        return false;
      }
    }
    const headEnd = findHeadEnd(input.buffer, input.at, input.end);
    if (headEnd < 0) {
      const fault = checkPartialHead(input.buffer, input.at, input.end, limits.head, limits.uri);
      if (fault) this.#refuseFault(fault);
      else if (this.#state === IDLE) {
        this.#state = HEAD;
        this.#arm(runtime.timeouts.head);
      }
      return false;
    }
    const request = parseRequest(input.buffer, input.at, headEnd, limits);
    if (request instanceof HttpFault) {
      this.#refuseFault(request);
      return false;
    }
    input.at = headEnd;
    this.#emptyLines = 0;
    this.#state = EXCHANGE;
    const last = ++this.#requests >= limits.requestsPerConnection || this.draining;
    const exchange = new ServerExchange(this, request, request.keepAlive && !last);
    this.#exchange = exchange;
    if (this.peer.trusted) {
      const seen = trustedClient(request, this.peer, runtime);
      exchange.clientAddress = seen.address;
      exchange.scheme = seen.scheme;
    }
    const refused = this.#standing?.refusal(request.host);
    if (refused !== undefined) {
      runtime.fault(refused.code);
      runtime.onRefused(exchange.exchange, refused);
    } else runtime.onRequest(exchange.exchange);
    return true;
  }

  #refuseFault(fault: HttpFault): void {
    this.runtime.fault(fault.kind);
    this.#refuse(new GatehouseError(fault.code, fault.message, { close: true }));
  }

  /** Answers what cannot be parsed, then closes: behind a framing fault nothing can be trusted. */
  #refuse(error: GatehouseError): void {
    this.input.drop();
    this.#state = EXCHANGE;
    const exchange = new ServerExchange(this, new Request(), false);
    this.#exchange = exchange;
    this.runtime.onRefused(exchange.exchange, error);
  }

  onEof(): void {
    this.eof = true;
    if (this.#exchange === undefined) this.#exhausted();
    // What is pipelined behind this request is still answered.
    else if (this.input.empty) this.#exchange.halfClosed();
  }

  onDrain(): void {
    this.#exchange?.drained();
  }

  onBroken(): void {
    if (this.#state === CLOSED) return;
    const exchange = this.#exchange;
    this.close();
    exchange?.broken();
  }

  onDeadline(now: number): void {
    this.deadline = NEVER;
    if (this.#exchange !== undefined) this.#exchange.overdue(now);
    else if (this.#state === HEAD) {
      this.runtime.fault('slow_head');
      const what = 'the request head did not arrive in time (timeouts.head)';
      this.#refuse(new GatehouseError('request_timeout', what));
    } else this.close();
  }

  finished(reusable: boolean): void {
    const requestDone = this.#exchange?.requestDone === true;
    this.#exchange = undefined;
    if (!reusable) {
      this.#shut(requestDone);
      return;
    }
    this.#state = IDLE;
    this.#arm(
      this.draining ? Math.min(LAST_CALL_MS, this.runtime.timeouts.keepAlive) : this.runtime.timeouts.keepAlive,
    );
    if (!this.eof) this.wire.resume();
    this.#advance();
  }

  /**
   * Closes so that the peer can still read what was sent: FIN first, and while requests bytes may be on their way, reading
   * and dropping them for a while (RFC 9112 §9.6).
   */
  #shut(requestDone: boolean): void {
    const quiet = this.eof || (requestDone && this.input.empty);
    this.wire.end();
    if (quiet && this.wire.pending === 0) {
      this.close();
      return;
    }
    this.#state = LINGER;
    this.input.drop();
    this.#arm(this.runtime.timeouts.linger);
    if (!this.eof) this.wire.resume();
  }

  close(): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#exchange = undefined;
    this.input.drop();
    this.runtime.deadlines.remove(this);
    this.wire.destroy();
    this.runtime.onClosed(this);
  }

  get idleSince(): number {
    const waits = this.#state === IDLE && this.#requests > 0 && this.input.empty;
    return waits ? this.deadline - this.runtime.timeouts.keepAlive : NEVER;
  }

  drain(): void {
    this.#draining = true;
    if (this.#state === IDLE) this.deadline = Math.min(this.deadline, this.runtime.clock.now() + LAST_CALL_MS);
  }

  destroy(): void {
    this.onBroken();
  }

  #arm(ms: number): void {
    this.deadline = this.runtime.clock.now() + ms;
  }
}
