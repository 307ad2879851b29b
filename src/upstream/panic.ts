/**
 * Envoy's panic threshold: when so few endpoints are available that they could not bear the load, better all are used. An
 * endpoint whose breaker or agent says that it must be left alone is not.
 */
import type { Events } from '../kernel/event.ts';
import type { Endpoint } from './endpoint.ts';

/** Whether an upstream is in panic. */
export class Panic {
  /** Whom panic chooses from; undefined when there is none. */
  all: readonly Endpoint[] | undefined = undefined;
  readonly #upstream: string;
  readonly #threshold: number;
  readonly #endpoints: readonly Endpoint[];
  readonly #events: Events;

  /** `threshold`: share of the endpoints, from 0 (never) to 1. */
  constructor(upstream: string, threshold: number, endpoints: readonly Endpoint[], events: Events) {
    this.#upstream = upstream;
    this.#threshold = threshold;
    this.#endpoints = endpoints;
    this.#events = events;
  }

  /** An endpoint has changed. `carried`: all levels together carry the load, and then there is no panic, as in Envoy. */
  judge(carried: boolean): void {
    if (this.#threshold === 0) return;
    const weighted = this.#endpoints.filter(({ fullWeight }) => fullWeight > 0);
    const available = weighted.filter((endpoint) => endpoint.available).length;
    const panic = available < weighted.length * this.#threshold && !carried;
    const before = this.all !== undefined;
    this.all = panic ? weighted.filter(({ standing }) => standing.usable) : undefined;
    if (panic === before) return;
    if (panic) this.#events.emit('fault', { kind: 'panic', where: this.#upstream });
    const message = panic
      ? `panic: only ${available} of ${weighted.length} endpoints are available, so all are used`
      : `panic is over: ${available} of ${weighted.length} endpoints are available`;
    this.#events.emit('notice', { level: panic ? 'error' : 'info', message: `upstream ${this.#upstream}: ${message}` });
  }
}
