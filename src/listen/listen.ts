/** The listeners of a worker: accept, keep within limits, hand connections their runtime, drain. Knows no routes. */
import { createServer, type Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import type { Peer } from '../kernel/exchange.ts';
import type { Deadlines } from '../socket/deadlines.ts';
import type { NativeHandle } from '../socket/native.ts';
import type { WireOwner } from '../socket/owner.ts';
import { Wire } from '../socket/wire.ts';
import { alpnOf, type ListenerConfig, protocolsOf } from './config.ts';
import type { Intake, Pausable } from './intake.ts';
import { type Opened, openConnection } from './open.ts';
import { compileTrust, peerAt, peerOf, type Trust } from './peer.ts';
import { ProxyReader } from './proxy/reader.ts';
import { Refusals } from './refusals.ts';
import type { Drainable, ListenerHandler, ListenerRuntime } from './runtime.ts';
import { RulesInForce } from './standing.ts';
import { type Pending, parentOf, type ReadText, type SecureDoor, type Secured, secureDoor } from './tls.ts';
import type { TlsShared } from './tlsshared.ts';

/** What a listener is given. */
export interface ListenParts {
  clock: Clock;
  events: Events;
  deadlines: Deadlines;
  handler: ListenerHandler;
  readText: ReadText;
  /** Certificates, ticket keys and challenges that come while the worker runs. */
  tls: TlsShared;
  /** What all listeners of the worker may take together. */
  intake: Intake;
  /** Asks for what `listen` was given again; undefined: it cannot be had, so accepting cannot pause. */
  relisten: (() => void) | undefined;
}

/** How long the answer to `relisten` may take before it is asked again. */
const RELISTEN_MS = 5000;
/** A connection that has waited this long for its next request may be closed where there is no room. */
const IDLE_MS = 1000;
/** Idle connections closed at once while the listener is full. */
const RELIEF = 32;

const SILENT: WireOwner = { onBytes() {}, onEof() {}, onDrain() {}, onBroken() {} };

/** One listener of a worker. */
export class Listener implements Pausable {
  readonly name: string;
  readonly #parts: ListenParts;
  #runtime: ListenerRuntime;
  #config: ListenerConfig;
  #door: SecureDoor | undefined = undefined;
  #server: Server | undefined = undefined;
  readonly #connections = new Set<Drainable>();
  /** Connections on which something comes before HTTP: a PROXY header, a TLS handshake. */
  readonly #handshakes = new Set<Pending>();
  /** The sockets below TLS, and whose they are: what a PROXY header says, where there is one. */
  readonly #peers = new WeakMap<object, Peer>();
  /** Whether an address is one that sends PROXY headers; undefined: there are none. */
  #proxied: Trust | undefined = undefined;
  readonly #refusals: Refusals;
  readonly #inForce = new RulesInForce();
  #paused = false;
  #askedAt = Number.NEGATIVE_INFINITY;

  /** Throws when the TLS settings cannot be used. */
  constructor(name: string, config: ListenerConfig, parts: ListenParts) {
    this.name = name;
    this.#parts = parts;
    this.#refusals = new Refusals(name, parts.clock, (notice) => parts.events.emit('notice', notice));
    this.#config = config;
    this.#runtime = this.#compile(config);
  }

  /** Applies changed settings to connections accepted from now on. Throws, changing nothing, when they cannot be used. */
  update(config: ListenerConfig, readText: ReadText): void {
    this.#parts.readText = readText;
    this.#runtime = this.#compile(config);
    this.#config = config;
  }

  /** Open connections, those in their TLS handshake included. */
  get connections(): number {
    return this.#connections.size + this.#handshakes.size;
  }

  /** Starts accepting on a bound handle, or on whatever `net.Server.listen` takes. Resolves when it listens. */
  listen(target: object): Promise<void> {
    const server = createServer();
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(target, () => {
        server.removeListener('error', reject);
        server.on('error', (error) => this.#notice(`listener ${this.name}: ${error.message}`));
        const handle = (
          server as unknown as { _handle: { onconnection: (error: number, client: NativeHandle) => void } }
        )._handle;
        handle.onconnection = (error, client) => this.#accept(error, client);
        this.#paused = false;
        this.#parts.intake.add(this);
        resolve();
      });
    });
  }

  get sockets(): number {
    return this.connections;
  }

  /** It has stopped accepting and will go on when there is room. */
  get paused(): boolean {
    return this.#paused;
  }

  pause(): boolean {
    if (this.#paused) return true;
    if (this.#parts.relisten === undefined || this.#server === undefined) return false;
    // Our copy of the handle closes; the supervisor's keeps the socket, and who connects waits in its queue.
    this.#server.close();
    this.#server = undefined;
    this.#paused = true;
    this.#askedAt = Number.NEGATIVE_INFINITY;
    this.#runtime.fault('accept_paused');
    return true;
  }

  resume(): void {
    const now = this.#parts.clock.now();
    const { connections } = this.#config.limits;
    if (this.sockets > connections - Math.max(1, Math.floor(connections / 20))) this.relieve(RELIEF);
    else if (now - this.#askedAt >= RELISTEN_MS) {
      this.#askedAt = now;
      this.#parts.relisten?.();
    }
  }

  relieve(most: number): void {
    const before = this.#parts.clock.now() - IDLE_MS;
    let left = most;
    for (const connection of this.#connections) {
      if (left === 0) return;
      if (connection.idleSince > before) continue;
      left--;
      this.#runtime.fault('idle_closed');
      connection.drain();
    }
  }

  /** Address and port, when listening on TCP. */
  address(): ReturnType<Server['address']> {
    return this.#server?.address() ?? null;
  }

  /** Stops accepting; connections end after the response under way. */
  drain(): void {
    this.#server?.close();
    this.#server = undefined;
    this.#paused = false;
    this.#parts.intake.remove(this);
    this.#runtime.draining = true;
    for (const connection of this.#connections) connection.drain();
  }

  /** Cuts every connection. */
  destroy(): void {
    this.drain();
    for (const connection of this.#connections) connection.destroy();
    for (const socket of this.#handshakes) socket.destroy();
  }

  #compile(config: ListenerConfig): ListenerRuntime {
    const { clock, events, deadlines, handler } = this.#parts;
    const fault = { kind: '', where: this.name };
    const runtime: ListenerRuntime = {
      name: this.name,
      scheme: config.tls ? 'https' : 'http',
      limits: config.limits,
      timeouts: config.timeouts,
      http2: config.http2,
      clock,
      deadlines,
      trusts: compileTrust(config.trustedHops),
      draining: false,
      fault(kind) {
        fault.kind = kind;
        events.emit('fault', fault);
      },
      onRequest: (exchange) => handler.onRequest(exchange),
      onRefused: (exchange, error) => handler.onRefused(exchange, error),
      onAborted: (exchange, error) => handler.onAborted(exchange, error),
      onClosed: (connection) => {
        if (this.#connections.delete(connection)) events.emit('connectionClosed', this.name);
      },
      http2Connections: (by) => events.emit('http2Connections', { listener: this.name, by }),
    };
    this.#proxied = config.proxyProtocol && compileTrust(config.proxyProtocol.from);
    const { tls } = config;
    const alpn = alpnOf(config);
    const { handshake } = config.timeouts;
    const { readText } = this.#parts;
    if (tls === undefined) {
      this.#door = undefined;
      this.#inForce.set();
    }
    // A door that stays keeps its session tickets: clients that come back need no full handshake.
    else if (!this.#door?.serves(tls, handshake, readText, alpn)) {
      const door: SecureDoor = secureDoor({
        name: this.name,
        config: tls,
        handshakeMs: handshake,
        readText,
        alpn,
        shared: this.#parts.tls,
        inForce: this.#inForce,
        clock,
        pending: this.#handshakes,
        onSecure: (socket, secured) => this.#secured(socket, secured),
        onFailed: (kind) => this.#runtime.fault(kind),
        onRefused: ({ fault: kind, reason }, shown, socket) => {
          this.#runtime.fault(kind);
          this.#refusals.tell(this.#peers.get(socket)?.address ?? 'unknown', reason, shown);
        },
      });
      this.#door = door;
    }
    return runtime;
  }

  #notice(message: string): void {
    this.#parts.events.emit('notice', { level: 'error', message });
  }

  #accept(error: number, client: NativeHandle): void {
    if (error) {
      this.#runtime.fault('accept_failed');
      this.#parts.intake.exhausted();
      return;
    }
    if (!this.#parts.intake.take() || !this.#hasRoom()) {
      this.#runtime.fault('too_many_connections');
      client.close();
      return;
    }
    client.setNoDelay?.(true);
    const peer = peerAt(this.#runtime.trusts, client);
    const proxied = this.#proxied?.(peer.address);
    if (proxied === true) this.#behindProxy(client, peer);
    else if (proxied === false && this.#config.proxyProtocol?.others === 'refuse') {
      this.#runtime.fault('proxy_refused');
      client.close();
    } else if (this.#door) this.#peers.set(this.#door.accept(client), peer);
    else this.#open(new Wire(client, SILENT), peer, protocolsOf(this.#config));
  }

  /** Reads the PROXY header first; the address in it counts from then on. */
  #behindProxy(client: NativeHandle, proxy: Peer): void {
    const reader = new ProxyReader(client, this.#runtime, (wire, header, rest) => {
      this.#handshakes.delete(reader);
      if (wire === undefined || header === undefined) return;
      const peer = header.source === undefined ? proxy : peerOf(this.#runtime.trusts, header.source);
      const door = this.#door;
      if (door) this.#peers.set(door.accept(client, rest), peer);
      else {
        const connection = this.#open(wire, peer, protocolsOf(this.#config));
        if (rest.length > 0) connection.onBytes(rest, 0, rest.length);
      }
    });
    this.#handshakes.add(reader);
  }

  /** Whether this one fits; the last that does makes the next ones wait. */
  #hasRoom(): boolean {
    const { connections } = this.#config.limits;
    if (this.sockets + 1 < connections) return true;
    return this.pause() || this.sockets < connections;
  }

  #secured(socket: TLSSocket, secured: Secured): void {
    const handle = (socket as unknown as { _handle: NativeHandle })._handle;
    const early = socket.read() as Buffer | null;
    const wire = new Wire(handle, SILENT, () => socket.destroy());
    const peer = this.#peers.get(parentOf(socket)) as Peer;
    const { version } = secured.facts;
    this.#parts.events.emit('handshake', { listener: this.name, version, resumed: socket.isSessionReused() });
    const connection = this.#open(wire, peer, [socket.alpnProtocol === 'h2' ? 'http2' : 'http1'], secured);
    if (early !== null) connection.onBytes(early, 0, early.length);
  }

  #open(wire: Wire, peer: Peer, protocols: readonly ('http1' | 'http2')[], secured?: Secured): Opened {
    const replace = (old: Opened, by: Opened) => {
      this.#connections.delete(old);
      this.#connections.add(by);
    };
    const connection = openConnection(wire, peer, this.#runtime, protocols, replace, secured);
    this.#connections.add(connection);
    this.#parts.events.emit('connectionOpened', this.name);
    return connection;
  }
}
