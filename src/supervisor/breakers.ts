/**
 * The breakers of all endpoints as the supervisor knows them: what one worker finds out, all are told, and of those that
 * want to send the probe of an open breaker exactly one may.
 */
import type { Clock } from '../kernel/clock.ts';
import type { BreakerChange } from './messages.ts';

/** A breaker that is not simply closed, for the admin API. */
export interface BreakerStatus {
  upstream: string;
  endpoint: string;
  state: BreakerChange['state'];
  forced: boolean;
  reason: string;
  /** How long it stays open yet, in milliseconds. */
  forMs: number;
}

interface Known {
  change: BreakerChange;
  until: number;
  /** The worker that may send the probe, or has sent it. */
  holder: number | undefined;
}

/** Messages cross on their way: a probe may be granted this much before the time is over (milliseconds). */
const SLACK = 50;

/** See the file's head. */
export class Breakers {
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What a worker has found out, or an operator decided. Returns what the other workers are to be told. */
  changed(change: BreakerChange): BreakerChange | undefined {
    const key = keyOf(change);
    if (change.state === 'halfOpen') {
      const known = this.#known.get(key);
      if (known !== undefined) known.change = { ...known.change, state: 'halfOpen', reason: change.reason };
      return undefined;
    }
    // What an operator holds, no worker's experience changes.
    if (this.#known.get(key)?.change.forced && !change.forced) return undefined;
    this.#keep(key, change);
    return change;
  }

  /** An operator opens or closes a breaker for good, or gives it back to its rules. Returns what all workers are told. */
  force(upstream: string, endpoint: string, state: 'open' | 'closed' | 'auto'): BreakerChange {
    const forced = state !== 'auto';
    const change: BreakerChange = {
      upstream,
      endpoint,
      state: state === 'open' ? 'open' : 'closed',
      forced,
      forMs: 0,
      reason: forced ? `forced ${state} by an operator` : 'given back to its rules by an operator',
    };
    this.#keep(keyOf(change), change);
    return change;
  }

  /** A worker asks for the probe, or gives it back. Returns whether it may send it. */
  probe(worker: number, upstream: string, endpoint: string, take: boolean): boolean {
    const key = keyOf({ upstream, endpoint });
    let known = this.#known.get(key);
    if (!take) {
      if (known?.holder === worker) this.#free(known);
      return false;
    }
    if (known === undefined) {
      // A worker knows of an open breaker that we have forgotten with an older configuration: it must not wait for ever.
      const change = {
        upstream,
        endpoint,
        state: 'open',
        forced: false,
        forMs: 0,
        reason: 'open in one worker',
      } as const;
      known = { change, until: this.#clock.now(), holder: undefined };
      this.#known.set(key, known);
    }
    if (known.change.state !== 'open' || known.change.forced || known.holder !== undefined) return false;
    if (this.#clock.now() < known.until - SLACK) return false;
    known.holder = worker;
    return true;
  }

  /** A worker has gone: the probe it may have held is free again. */
  gone(worker: number): void {
    for (const known of this.#known.values()) if (known.holder === worker) this.#free(known);
  }

  /** What a worker that knows nothing yet is to be told. */
  all(): BreakerChange[] {
    return [...this.#known.values()].map(({ change, until }) => {
      const state = change.state === 'halfOpen' ? 'open' : change.state;
      return { ...change, state, forMs: state === 'open' ? Math.max(0, until - this.#clock.now()) : 0 };
    });
  }

  /** For the admin API. */
  status(): BreakerStatus[] {
    const now = this.#clock.now();
    return [...this.#known.values()].map(({ change, until }) => {
      const { upstream, endpoint, state, forced, reason } = change;
      return { upstream, endpoint, state, forced, reason, forMs: Math.max(0, Math.round(until - now)) };
    });
  }

  /** Forgets the breakers of endpoints that there are no more. `has`: whether there is one. */
  prune(has: (upstream: string, endpoint: string) => boolean): void {
    for (const [key, { change }] of this.#known) if (!has(change.upstream, change.endpoint)) this.#known.delete(key);
  }

  #keep(key: string, change: BreakerChange): void {
    if (change.state === 'closed' && !change.forced) this.#known.delete(key);
    else this.#known.set(key, { change, until: this.#clock.now() + change.forMs, holder: undefined });
  }

  #free(known: Known): void {
    known.holder = undefined;
    if (known.change.state === 'halfOpen') known.change = { ...known.change, state: 'open' };
  }
}

const keyOf = ({ upstream, endpoint }: { upstream: string; endpoint: string }) => `${upstream}\n${endpoint}`;
