/** What a worker is told of endpoints by those who watch them for all workers: health, breakers, agents. */
import type { BreakerEvent } from '../kernel/event.ts';
import type { AgentWord, AskProbe, Endpoint } from '../upstream/upstream.ts';
import type { Snapshot } from './snapshot.ts';

/** See the file's head. News of what the configuration does not know any more is left alone. */
export class EndpointNews {
  readonly #snapshot: () => Snapshot;
  readonly #askProbe: AskProbe | undefined;

  constructor(snapshot: () => Snapshot, askProbe: AskProbe | undefined) {
    this.#snapshot = snapshot;
    this.#askProbe = askProbe;
  }

  /** What the prober found. */
  setHealth(upstream: string, endpoint: string, healthy: boolean, reason: string): void {
    this.#snapshot().upstreams.get(upstream)?.setHealth(endpoint, healthy, reason);
  }

  /** The prober found that an endpoint at which requests had failed is well. */
  cleared(upstream: string, endpoint: string): void {
    this.#endpoint(upstream, endpoint)?.standing.cleared();
  }

  /** What another worker found out about a breaker, or an operator decided. `forMs`: how long it stays open. */
  setBreaker({ upstream, endpoint, state, forMs, forced, reason }: Omit<BreakerEvent, 'own'>): void {
    const { standing } = this.#endpoint(upstream, endpoint) ?? {};
    standing?.setBreaker(state === 'closed' ? 'closed' : 'open', forMs, forced, reason);
  }

  /** The answer to `WorkerParts.askProbe`. */
  probeGranted(upstream: string, endpoint: string, granted: boolean): void {
    const found = this.#endpoint(upstream, endpoint);
    if (found !== undefined) found.standing.probeGranted(granted);
    else if (granted) this.#askProbe?.(upstream, endpoint, false);
  }

  /** What the agent beside a server says. */
  setAgent(upstream: string, endpoint: string, word: AgentWord, reason: string): void {
    this.#endpoint(upstream, endpoint)?.setAgent(word, reason);
  }

  #endpoint(upstream: string, endpoint: string): Endpoint | undefined {
    return this.#snapshot().upstreams.get(upstream)?.endpoint(endpoint);
  }
}
