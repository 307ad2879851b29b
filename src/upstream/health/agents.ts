/** Asks the agents beside the servers, one asker for all workers, in the supervisor, and reports what changes. */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { endpointName, parseEndpointUrl } from '../address.ts';
import type { UpstreamConfig } from '../config.ts';
import { type AgentState, type AgentTarget, askAgent, initialAgent, nextAgent } from './agent.ts';

/** What an agent says about its endpoint. */
export interface AgentEvent extends AgentState {
  upstream: string;
  endpoint: string;
}

interface Asked {
  upstream: string;
  endpoint: string;
  target: AgentTarget;
  interval: number;
  state: AgentState;
  timer: Timer | undefined;
  cancel: (() => void) | undefined;
}

/** Asks once; the seam for tests. */
export type AskOnce = (target: AgentTarget, clock: Clock, done: (line: string | undefined) => void) => () => void;

/** The agents of a configuration. */
export class Agents {
  readonly #clock: Clock;
  readonly #onChange: (change: AgentEvent) => void;
  readonly #ask: AskOnce;
  #asked = new Map<string, Asked>();

  /** `onChange` is called when an agent says something else than before. */
  constructor(clock: Clock, onChange: (change: AgentEvent) => void, ask: AskOnce = askAgent) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#ask = ask;
  }

  /** Goes over to a new configuration. Endpoints that stay keep what their agents said. */
  update(upstreams: Record<string, UpstreamConfig>): void {
    const before = this.#asked;
    this.#asked = new Map();
    for (const [upstream, { agent, endpoints }] of Object.entries(upstreams)) {
      if (agent === undefined) continue;
      for (const one of endpoints) {
        const { host, port } = parseEndpointUrl(one.url);
        const endpoint = endpointName(one);
        const key = `${upstream}\n${endpoint}\n${one.url}`;
        const old = before.get(key);
        before.delete(key);
        // A unix socket has no host: its server is here.
        const own = port === 0 ? '127.0.0.1' : host;
        const target = { host: agent.host ?? own, port: agent.port, send: agent.send, timeout: agent.timeout };
        const asked: Asked = old ?? {
          upstream,
          endpoint,
          target,
          interval: agent.interval,
          state: initialAgent,
          timer: undefined,
          cancel: undefined,
        };
        Object.assign(asked, { target, interval: agent.interval });
        this.#asked.set(key, asked);
        if (old === undefined) this.#schedule(asked, this.#clock.random() * Math.min(agent.interval, 1000));
      }
    }
    for (const gone of before.values()) {
      halt(gone);
      // Workers keep the last word about an endpoint that may still be there.
      if (gone.state === initialAgent) continue;
      const { upstream, endpoint } = gone;
      this.#onChange({ upstream, endpoint, ...initialAgent, reason: 'its agent is not asked any more' });
    }
  }

  /** All that has been said so far. */
  states(): AgentEvent[] {
    return [...this.#asked.values()]
      .filter(({ state }) => state !== initialAgent)
      .map(({ upstream, endpoint, state }) => ({ upstream, endpoint, ...state }));
  }

  /** Asks no more. */
  stop(): void {
    for (const asked of this.#asked.values()) halt(asked);
    this.#asked.clear();
  }

  #schedule(asked: Asked, delay: number): void {
    asked.timer = this.#clock.after(delay, () => {
      asked.cancel = this.#ask(asked.target, this.#clock, (line) => {
        asked.cancel = undefined;
        if (line !== undefined) this.#heard(asked, line);
        this.#schedule(asked, asked.interval);
      });
    });
  }

  #heard(asked: Asked, line: string): void {
    const before = asked.state;
    const next = nextAgent(before, line);
    asked.state = next;
    const same =
      next.up === before.up &&
      next.drained === before.drained &&
      next.share === before.share &&
      next.maxConnections === before.maxConnections;
    if (!same) this.#onChange({ upstream: asked.upstream, endpoint: asked.endpoint, ...next });
  }
}

function halt(asked: Asked): void {
  asked.timer?.cancel();
  asked.cancel?.();
}
