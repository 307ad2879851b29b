/** One server of an upstream: its connections, its load, and whether it may be chosen. */
import { isIP } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { ChunkedLimits } from '../http/chunked.ts';
import type { Clock } from '../kernel/clock.ts';
import type { ErrorCode } from '../kernel/error.ts';
import type { Inbound } from '../kernel/exchange.ts';
import type { Deadlines } from '../socket/deadlines.ts';
import type { Dial, DialTarget } from '../socket/dial.ts';
import { type ProxyAddress, proxyHeader } from '../socket/proxy/header.ts';
import { endpointName, parseEndpointUrl } from './address.ts';
import type { Carrier } from './carrier.ts';
import type { EndpointConfig, UpstreamConfig } from './config.ts';
import { ClientConnection } from './connection.ts';
import { bodyLimits, type EndpointParts } from './endpointparts.ts';
import type { ConnectionHost } from './host.ts';
import { Http2Pool } from './http2/pool.ts';
import { bringForward, clientOf } from './perclient.ts';
import type { Seats } from './queue/seats.ts';
import { Resolver } from './resolve.ts';
import { type AgentWord, Standing } from './standing.ts';

/** One server. Also what a balancer chooses from. */
export class Endpoint implements ConnectionHost {
  index: number;
  readonly id: string;
  /** Host field for requests to it. */
  readonly authority: string;
  config: UpstreamConfig;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  bodyLimits: ChunkedLimits;
  readonly dial: Dial;
  /** Health, ejection, agent and breaker. */
  readonly standing: Standing;
  /** Configured share of the load, times what its agent says. */
  fullWeight: number;
  /** Share of the load now: smaller during slow start. */
  weight: number;
  inflight = 0;
  /** Most requests under way that its agent allows. */
  maxInflight = Number.POSITIVE_INFINITY;
  /** Places that this worker was granted here; undefined: nothing limits the requests at once. */
  seats: Seats | undefined = undefined;
  available = true;
  /** When it came back, in monotonic milliseconds; -1 when it has never been away. */
  recoveredAt = -1;
  #parts: EndpointParts;
  readonly #url: string;
  readonly #upstream: string;
  readonly #resolver: Resolver | undefined;
  readonly #secure: boolean;
  readonly #host: string;
  readonly #port: number;
  #weight: number;
  readonly #idle: ClientConnection[] = [];
  readonly #http2 = new Http2Pool(this);
  #connections = 0;
  #idleMs: number;
  #closing = false;

  /** `before`: the same server under other TLS settings; what is known of its health goes on. */
  constructor(
    index: number,
    endpoint: EndpointConfig,
    upstream: string,
    config: UpstreamConfig,
    parts: EndpointParts,
    before?: Endpoint,
  ) {
    const { secure, host, port, authority } = parseEndpointUrl(endpoint.url);
    this.index = index;
    this.#url = endpoint.url;
    this.id = endpointName(endpoint);
    this.authority = authority;
    this.config = config;
    this.clock = parts.clock;
    this.deadlines = parts.deadlines;
    this.dial = parts.dial;
    this.#weight = endpoint.weight;
    this.fullWeight = endpoint.weight;
    this.weight = endpoint.weight;
    this.#idleMs = config.pool.idleTimeout;
    this.#parts = parts;
    this.#upstream = upstream;
    this.standing = new Standing({
      upstream,
      endpoint: this.id,
      config,
      clock: parts.clock,
      events: parts.events,
      askProbe: parts.askProbe,
      mayEject: () => this.#parts.mayEject(),
      changed: () => this.#changed(),
    });
    this.#secure = secure;
    this.#host = host;
    this.#port = port;
    this.bodyLimits = bodyLimits(config);
    if (before !== undefined) {
      const { healthy } = before.standing;
      this.standing.healthy = healthy;
      this.standing.available = healthy;
      this.available = healthy;
      this.recoveredAt = before.recoveredAt;
    }
    if (port !== 0) this.#resolver = new Resolver(host, parts.lookup, (message) => this.#dnsFailed(message));
  }

  /** Resolves the host name for the first time. */
  async start(): Promise<void> {
    await this.#resolver?.start(this.clock, this.config.dns.refresh);
  }

  /** Whether a configuration's endpoint is this server. */
  isAt(endpoint: EndpointConfig): boolean {
    return endpoint.url === this.#url && endpointName(endpoint) === this.id;
  }

  /** Whether its connections were made with these TLS settings. */
  trusts(tls: TlsOptions): boolean {
    return isDeepStrictEqual(tls, this.#parts.tls);
  }

  /** Goes over to another configuration of its upstream; connections, health, ejection and load stay. */
  adopt(index: number, endpoint: EndpointConfig, config: UpstreamConfig, parts: EndpointParts): void {
    if (config.dns.refresh !== this.config.dns.refresh) this.#resolver?.every(this.clock, config.dns.refresh);
    if (config.pool.idleTimeout !== this.config.pool.idleTimeout) this.#idleMs = config.pool.idleTimeout;
    const { breaker, passive } = this.config;
    // What has been counted so far counts on, unless the rules are others.
    if (!isDeepStrictEqual([breaker, passive], [config.breaker, config.passive])) this.standing.adopt(config);
    this.index = index;
    this.config = config;
    this.#parts = parts;
    this.#weight = endpoint.weight;
    this.fullWeight = endpoint.weight * (this.standing.agent?.share ?? 1);
    this.weight = this.fullWeight;
    this.bodyLimits = bodyLimits(config);
  }

  /** Panic may choose it. */
  get usable(): boolean {
    return this.standing.usable;
  }

  /** Open connections, idle ones included. */
  get connections(): number {
    return this.#connections + this.#http2.connections;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** Where the next connection goes; undefined while the name has never been resolved. */
  target(from?: ProxyAddress): DialTarget | undefined {
    const version = this.config.proxyProtocol;
    const header = (address: string) =>
      from && version && { prelude: proxyHeader(version, from, { address, port: this.#port }) };
    if (this.#port === 0) return { address: this.#host, port: 0, tls: undefined, ...header(this.#host) };
    const address = this.#resolver?.next();
    if (address === undefined) return undefined;
    if (!this.#secure) return { address, port: this.#port, tls: undefined, ...header(address) };
    return {
      address,
      port: this.#port,
      ...header(address),
      tls: isIP(this.#host) === 0 ? { servername: this.#host, ...this.#parts.tls } : this.#parts.tls,
    };
  }

  /** The server still has this address. */
  #current(address: string): boolean {
    return this.#resolver === undefined || this.#resolver.has(address);
  }

  /** An idle connection or a new one; undefined when there are as many as allowed. */
  acquire(inbound?: Inbound): Carrier | undefined {
    const from = this.config.proxyProtocol === undefined ? undefined : clientOf(inbound);
    if (this.config.http2 !== undefined) return this.#http2.acquire((address) => this.#current(address), from);
    const now = this.clock.now();
    if (from !== undefined) bringForward(this.#idle, from.address, this.#connections >= this.config.pool.connections);
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (from !== undefined && connection.client !== from.address) {
        this.#idle.push(connection);
        break;
      }
      if (connection.idleUntil > now && this.#current(connection.address)) return connection;
      connection.close();
    }
    if (this.#connections >= this.config.pool.connections) return undefined;
    this.#connections++;
    return new ClientConnection(this, from);
  }

  /** Takes a connection back that is in order and free. */
  release(connection: ClientConnection): void {
    if (this.#closing || this.#idle.length >= this.config.pool.idle || !this.#current(connection.address)) {
      connection.close();
      return;
    }
    connection.rest(this.clock.now() + this.#idleMs);
    this.#idle.push(connection);
  }

  /** A connection has been closed. */
  closed(connection: ClientConnection): void {
    this.#connections--;
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** The server says how long it keeps idle connections: stay a second below that (RFC 9112 §9.5). */
  hint(keepAliveMs: number): void {
    this.#idleMs = Math.min(this.config.pool.idleTimeout, Math.max(keepAliveMs - 1000, Math.floor(keepAliveMs / 2)));
  }

  /** Counts a condition of FAULTS.md. */
  fault(kind: string): void {
    this.#parts.events.emit('fault', { kind, where: this.#upstream });
  }

  /**
   * A request has been answered in order. `startedAt`: when its try was sent, in monotonic milliseconds; `tookMs`: from then
   * to the head of the answer.
   */
  succeeded(status = 200, startedAt = this.clock.now(), tookMs = 0): void {
    if (!this.#closing) this.standing.answered(status, startedAt, tookMs);
  }

  /** A request has failed by this server's doing: enough of them take it out for a while. */
  failed(code: ErrorCode = 'upstream_reset', startedAt = this.clock.now()): void {
    if (!this.#closing) this.standing.failed(code, startedAt);
  }

  /** Another request may be sent to it now. */
  get hasRoom(): boolean {
    return this.inflight < this.maxInflight && (this.seats === undefined || this.seats.room);
  }

  /** A request is sent to it; `leave` gets what this returns when it has ended. */
  enter(): Seats | undefined {
    this.inflight++;
    const { seats } = this;
    if (seats !== undefined) seats.take();
    return seats;
  }

  /** A request has ended. */
  leave(seat: Seats | undefined): void {
    this.inflight--;
    if (seat !== undefined) seat.free();
  }

  /** What active health checks say. */
  setHealthy(healthy: boolean, reason: string): void {
    this.standing.setHealthy(healthy, reason);
  }

  /** What the agent beside the server says. */
  setAgent(word: AgentWord, reason: string): void {
    this.fullWeight = this.#weight * word.share;
    this.maxInflight = word.maxConnections;
    this.standing.setAgent(word, reason);
  }

  #changed(): void {
    const { available } = this.standing;
    if (available !== this.available) {
      this.available = available;
      if (available) this.recoveredAt = this.clock.now();
      else {
        for (const connection of this.#idle.splice(0)) connection.close();
        this.#http2.close();
      }
    }
    this.#parts.changed();
  }

  #dnsFailed(message: string): void {
    this.fault('dns_failed');
    this.#parts.events.emit('notice', {
      level: 'warn',
      message: `upstream ${this.#upstream}: cannot resolve ${message}`,
    });
  }

  /** No new requests: idle connections close now, busy ones with their response. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#resolver?.stop();
    for (const connection of this.#idle.splice(0)) connection.close();
    this.#http2.close();
    this.standing.close();
  }
}
