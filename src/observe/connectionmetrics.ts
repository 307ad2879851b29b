/** Counts connections from clients, their handshakes, and what HTTP/2 makes of them. */
import type { HandshakeEvent } from '../kernel/event.ts';
import { WORKER_METRICS as M } from './catalog.ts';
import type { Counter, Family, Gauge, Registry } from './registry.ts';

/** A part of `Metrics`. */
export class ConnectionMetrics {
  readonly #all: Family<Counter>;
  readonly #open: Family<Gauge>;
  readonly #handshakes: Family<Counter>;
  readonly #http2: Family<Gauge>;

  constructor(registry: Registry) {
    this.#all = registry.counter(M.connections);
    this.#open = registry.gauge(M.connectionsOpen);
    this.#handshakes = registry.counter(M.handshakes);
    this.#http2 = registry.gauge(M.http2Connections);
  }

  opened(listener: string): void {
    this.#all.with(listener).inc();
    this.#open.with(listener).add(1);
  }

  closed(listener: string): void {
    this.#open.with(listener).add(-1);
  }

  handshake({ listener, version, resumed }: HandshakeEvent): void {
    this.#handshakes.with(listener, version, resumed ? 'yes' : 'no').inc();
  }

  http2(listener: string, by: number): void {
    this.#http2.with(listener).add(by);
  }
}
