/** What the supervisor finds out about endpoints and tells all workers: their health, their agents, their breakers. */
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import { formatDuration } from '../kernel/limit.ts';
import { endpointName } from '../upstream/address.ts';
import type { UpstreamConfig } from '../upstream/config.ts';
import { type AgentEvent, Agents } from '../upstream/health/agents.ts';
import { Prober } from '../upstream/health/prober.ts';
import { type BreakerStatus, Breakers } from './breakers.ts';
import type { BreakerChange, EndpointHealth, ToSupervisor } from './messages.ts';
import type { WorkerProcess } from './worker.ts';

/** What it is made with. */
export interface EndpointsParts {
  clock: Clock;
  events: Events;
  /** The workers that there are now. */
  workers(): Iterable<WorkerProcess>;
  /** How many there are to be. */
  count(): number;
}

/** See the file's head. */
export class Endpoints {
  readonly #parts: EndpointsParts;
  readonly #prober: Prober;
  readonly #agents: Agents;
  readonly #breakers: Breakers;
  #upstreams: Record<string, UpstreamConfig> = {};

  constructor(parts: EndpointsParts) {
    this.#parts = parts;
    const tell = (change: EndpointHealth) => {
      for (const worker of parts.workers()) worker.sendHealth([change]);
    };
    this.#prober = new Prober(
      parts.clock,
      (change) => {
        parts.events.emit('endpointChanged', change);
        tell(change);
      },
      (upstream, endpoint) => tell({ upstream, endpoint, healthy: true, reason: 'probe succeeded', cleared: true }),
    );
    this.#breakers = new Breakers(parts.clock);
    this.#agents = new Agents(parts.clock, (change) => {
      for (const worker of parts.workers()) this.#tellAgents(worker, [change]);
    });
  }

  /** Goes over to a configuration's upstreams. `files`: path → contents of the files that it names. */
  update(upstreams: Record<string, UpstreamConfig>, files: Record<string, string>): void {
    this.#upstreams = upstreams;
    this.#prober.update(upstreams, files);
    this.#agents.update(upstreams);
    this.#breakers.prune((upstream, endpoint) => this.#has(upstream, endpoint));
  }

  /** What the prober has found out. */
  health(): EndpointHealth[] {
    return this.#prober.states();
  }

  /** Breakers that are not simply closed. */
  breakers(): BreakerStatus[] {
    return this.#breakers.status();
  }

  /** What the agents beside the servers say. */
  agents(): AgentEvent[] {
    return this.#agents.states();
  }

  /** Opens or closes a breaker for good, or gives it back to its rules; false: there is no such endpoint. */
  force(upstream: string, endpoint: string, state: 'open' | 'closed' | 'auto'): boolean {
    if (!this.#has(upstream, endpoint)) return false;
    this.#tellBreaker(this.#breakers.force(upstream, endpoint, state), undefined);
    const what = state === 'auto' ? 'left to its rules' : `forced ${state}`;
    const message = `breaker of ${upstream} ${endpoint}: ${what} by an operator`;
    this.#parts.events.emit('notice', { level: 'warn', message });
    return true;
  }

  /** Takes what a worker says; what is not about endpoints is left alone. */
  message(worker: WorkerProcess, message: ToSupervisor): void {
    switch (message.type) {
      case 'endpointObserved':
        // One worker's experience is a reason to look at once, not a verdict for all.
        if (!message.healthy) this.#prober.suspect(message.upstream, message.endpoint);
        return;
      case 'snapshotApplied':
        this.#tellBreakers(worker);
        this.#tellAgents(worker, this.#agents.states());
        return;
      case 'breaker':
        this.#report(message.change);
        this.#tellBreaker(this.#breakers.changed(message.change), worker);
        return;
      case 'probe': {
        const { upstream, endpoint, take } = message;
        const granted = this.#breakers.probe(worker.id, upstream, endpoint, take);
        if (take) worker.tell({ type: 'probeGranted', upstream, endpoint, granted });
      }
    }
  }

  /** A worker has gone. */
  gone(worker: number): void {
    this.#breakers.gone(worker);
  }

  /** Asks nobody any more. */
  stop(): void {
    this.#prober.stop();
    this.#agents.stop();
  }

  #report({ upstream, endpoint, state, forMs, reason }: BreakerChange): void {
    if (state === 'halfOpen') return;
    const what = state === 'open' ? `open for ${formatDuration(Math.round(forMs))}` : 'closed';
    const message = `breaker of ${upstream} ${endpoint} is ${what}: ${reason}`;
    const attributes = { upstream, endpoint };
    this.#parts.events.emit('notice', { level: state === 'open' ? 'warn' : 'info', message, attributes });
  }

  #tellBreakers(worker: WorkerProcess): void {
    const changes = this.#breakers.all();
    if (changes.length > 0) worker.tell({ type: 'breakers', changes });
  }

  #tellBreaker(change: BreakerChange | undefined, except: WorkerProcess | undefined): void {
    if (change === undefined) return;
    for (const worker of this.#parts.workers())
      if (worker !== except) worker.tell({ type: 'breakers', changes: [change] });
  }

  /** Each worker gets its share of the requests that an agent allows. */
  #tellAgents(worker: WorkerProcess, states: readonly AgentEvent[]): void {
    if (states.length === 0) return;
    const among = Math.max(1, this.#parts.count());
    const changes = states.map((state) => ({ ...state, maxConnections: Math.ceil(state.maxConnections / among) }));
    worker.tell({ type: 'agents', changes });
  }

  #has(upstream: string, endpoint: string): boolean {
    return this.#upstreams[upstream]?.endpoints.some((one) => endpointName(one) === endpoint) ?? false;
  }
}
