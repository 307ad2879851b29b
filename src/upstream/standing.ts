/** Whether an endpoint may be chosen: health checks, its agent, outlier ejection and breaker all have a say. Emits changes. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { ErrorCode } from '../kernel/error.ts';
import type { Events } from '../kernel/event.ts';
import { BREAKER_OFF, Breaker } from './breaker.ts';
import type { UpstreamConfig } from './config.ts';
import { OutlierCount } from './outlier.ts';
import { isTimeout } from './replay.ts';

/** Asks whoever speaks for all workers for the one probe of an open breaker, or gives it back unused. */
export type AskProbe = (upstream: string, endpoint: string, take: boolean) => void;

/** What an agent says about its server. */
export interface AgentWord {
  /** Its health; false keeps it out. */
  readonly up: boolean;
  /** No new requests. */
  readonly drained: boolean;
  /** Share of its weight, 1 for all of it; may be more. */
  readonly share: number;
  /** Requests that it takes at once, over all workers; Infinity: no such limit. */
  readonly maxConnections: number;
}

/** What a standing is made with. */
export interface StandingParts {
  readonly upstream: string;
  readonly endpoint: string;
  readonly config: UpstreamConfig;
  readonly clock: Clock;
  readonly events: Events;
  /** Undefined: this process speaks for all. */
  readonly askProbe: AskProbe | undefined;
  /** Whether one more endpoint may be ejected now. */
  mayEject(): boolean;
  /** `available`, `usable`, the breaker's state or the right to its probe has changed. */
  changed(): void;
}

/** A granted probe that finds no request within this long (milliseconds) goes back; a refusal holds as long. */
const PROBE_LEASE = 1000;

const NONE = 0;
const ASKED = 1;
const GRANTED = 2;
const REFUSED = 3;

/** The standing of one endpoint. */
export class Standing {
  /** It may be chosen. */
  available = true;
  healthy = true;
  ejected = false;
  agent: AgentWord | undefined = undefined;
  breaker: Breaker | undefined;
  outliers: OutlierCount;
  readonly #parts: StandingParts;
  #config: UpstreamConfig;
  #reason = '';
  #return: Timer | undefined = undefined;
  #token = NONE;
  #tokenUntil = 0;
  #lease: Timer | undefined = undefined;
  #closed = false;

  constructor(parts: StandingParts) {
    this.#parts = parts;
    this.#config = parts.config;
    const { breaker, passive } = parts.config;
    this.breaker = breaker === undefined ? undefined : new Breaker(breaker);
    this.outliers = new OutlierCount(passive);
  }

  /** Whether panic may choose it: neither its breaker nor its agent says that it must be left alone. */
  get usable(): boolean {
    return (this.breaker === undefined || this.breaker.state === 'closed') && this.agent?.drained !== true;
  }

  // ---- what requests meet

  /** An answer is complete. `startedAt`: when its try was sent; `tookMs`: from then to its head. */
  answered(status: number, startedAt: number, tookMs: number): void {
    const { breaker } = this;
    if (breaker !== undefined && breaker.state === 'closed') {
      const now = this.#parts.clock.now();
      const opened = status < 500 ? breaker.succeeded(now, startedAt, tookMs) : breaker.failed(now, startedAt, false);
      if (opened) this.#breakerTurned(true);
    }
    const verdict = this.outliers.answered(status);
    if (verdict !== '') this.eject(verdict);
  }

  /** A request has failed by this server's doing. */
  failed(code: ErrorCode, startedAt: number): void {
    const { breaker } = this;
    if (breaker?.failed(this.#parts.clock.now(), startedAt, isTimeout(code))) this.#breakerTurned(true);
    const verdict = this.outliers.failed();
    if (verdict !== '') this.eject(verdict);
  }

  /** Takes it out for a while, unless too many are out already. */
  eject(reason: string): void {
    if (this.#closed || this.ejected || !this.#parts.mayEject()) return;
    const { clock } = this.#parts;
    this.ejected = true;
    this.#return = clock.after(this.outliers.eject(clock.now()), () => {
      this.#readmit('ejection over');
    });
    this.#update(reason);
  }

  #readmit(reason: string): void {
    this.#return?.cancel();
    this.ejected = false;
    this.outliers.back(this.#parts.clock.now());
    this.#update(reason);
  }

  // ---- what others say

  /** What active health checks say. Who was found dead and then well begins anew: an ejection is over, as in Envoy. */
  setHealthy(healthy: boolean, reason: string): void {
    if (this.healthy === healthy) return;
    this.healthy = healthy;
    if (healthy && this.ejected && this.#config.passive.liftedByProbe) this.#readmit(reason);
    else this.#update(reason);
  }

  /** A health check has succeeded since it was ejected, which ends the ejection where that is wanted. */
  cleared(): void {
    if (this.#closed || !this.ejected || !this.#config.passive.liftedByProbe) return;
    this.#readmit('a health check succeeded');
  }

  /** What the agent says. */
  setAgent(word: AgentWord, reason: string): void {
    this.agent = word;
    this.#update(reason);
    this.#parts.changed();
  }

  /** What another worker found out, or an operator decided, about the breaker. */
  setBreaker(state: 'closed' | 'open', forMs: number, forced: boolean, reason: string): void {
    if (this.#closed) return;
    this.breaker ??= new Breaker(BREAKER_OFF);
    this.breaker.set(this.#parts.clock.now(), state, forMs, forced, reason);
    this.#breakerTurned(false);
  }

  // ---- the probe

  /** Asks for the breaker's one probe, where it is due and has to be asked for. Returns whether the answer is yet to come. */
  requestProbe(now: number): boolean {
    const { askProbe, upstream, endpoint } = this.#parts;
    if (askProbe === undefined || !this.#probeDue(now)) return false;
    if (this.#token !== GRANTED && now >= this.#tokenUntil) this.#token = NONE;
    if (this.#token === NONE) {
      this.#token = ASKED;
      this.#tokenUntil = now + PROBE_LEASE;
      askProbe(upstream, endpoint, true);
    }
    return this.#token === ASKED;
  }

  /** Whether a request may be sent there now as the breaker's one probe. Asks for it where it has to be asked for. */
  takeProbe(now: number): boolean {
    const breaker = this.breaker as Breaker;
    if (!this.#probeDue(now)) return false;
    if (this.#parts.askProbe !== undefined) {
      this.requestProbe(now);
      if (this.#token !== GRANTED) return false;
    }
    if (!breaker.takeProbe(now)) return false;
    this.#dropToken();
    this.#tellBreaker(true);
    return true;
  }

  #probeDue(now: number): boolean {
    return this.breaker?.due(now) === true && this.agent?.drained !== true && this.healthy;
  }

  /** The answer to what was asked. */
  probeGranted(granted: boolean): void {
    const { askProbe, upstream, endpoint, clock, changed } = this.#parts;
    if (this.#token !== ASKED || this.#closed) return;
    // A refusal is kept: it is asked again when its time is over, not at each request.
    this.#token = granted ? GRANTED : REFUSED;
    if (granted) {
      this.#lease = clock.after(PROBE_LEASE, () => {
        this.#dropToken();
        askProbe?.(upstream, endpoint, false);
      });
    }
    changed();
  }

  /** A probe is out. */
  get probing(): boolean {
    return this.breaker !== undefined && this.breaker.state === 'halfOpen';
  }

  /** How the probe ended; `good` false also when it was refused before it could tell anything. */
  probed(good: boolean, reason: string): void {
    if (!this.probing) return;
    this.breaker?.probed(this.#parts.clock.now(), good, reason);
    this.#breakerTurned(true);
  }

  /** The head of the answer to the probe has come, `tookMs` after it was sent. */
  probeAnswered(status: number, tookMs: number): void {
    if (!this.probing) return;
    const { slowRatio, slowAfter } = (this.breaker as Breaker).settings;
    if (status >= 500) this.probed(false, `the probe was answered with ${status}`);
    else if (slowRatio > 0 && tookMs >= slowAfter) this.probed(false, 'the answer to the probe was slow');
    else this.probed(true, 'the probe was answered');
  }

  #dropToken(): void {
    this.#token = NONE;
    this.#lease?.cancel();
    this.#lease = undefined;
  }

  #breakerTurned(own: boolean): void {
    if (this.#closed) return;
    this.#dropToken();
    const { breaker } = this;
    this.#tellBreaker(own);
    this.#update(`breaker ${breaker?.state}: ${breaker?.reason}`);
    this.#parts.changed();
  }

  #tellBreaker(own: boolean): void {
    const { events, upstream, endpoint, clock } = this.#parts;
    const { state, forced, openUntil, reason } = this.breaker as Breaker;
    const forMs = state === 'open' ? Math.max(0, openUntil - clock.now()) : 0;
    events.emit('breakerChanged', { upstream, endpoint, state, forced, forMs, reason, own });
  }

  #update(reason: string): void {
    const { breaker, agent } = this;
    const available =
      this.healthy &&
      !this.ejected &&
      (breaker === undefined || breaker.state === 'closed') &&
      (agent === undefined || (agent.up && !agent.drained));
    if (available === this.available) return;
    this.available = available;
    this.#reason = reason;
    this.#tell(available);
    this.#parts.changed();
  }

  #tell(healthy: boolean): void {
    const { events, upstream, endpoint } = this.#parts;
    events.emit('endpointChanged', { upstream, endpoint, healthy, reason: this.#reason });
  }

  /** Goes over to other settings. What the breaker and the outliers have counted so far is forgotten; their states stay. */
  adopt(config: UpstreamConfig): void {
    const { passive } = this.#config;
    const settings = config.breaker ?? BREAKER_OFF;
    const { breaker } = this;
    if (breaker !== undefined || config.breaker !== undefined) {
      const next = new Breaker(settings);
      const now = this.#parts.clock.now();
      // A probe that is out loses its say; the breaker stays open until another one is sent.
      if (breaker !== undefined && (breaker.state !== 'closed' || breaker.forced)) {
        const state = breaker.state === 'closed' ? 'closed' : 'open';
        next.set(now, state, Math.max(0, breaker.openUntil - now), breaker.forced, breaker.reason);
      }
      if (this.probing) this.#parts.askProbe?.(this.#parts.upstream, this.#parts.endpoint, false);
      this.breaker = next;
    }
    if (!isDeepStrictEqual(passive, config.passive)) this.outliers = new OutlierCount(config.passive);
    this.#config = config;
  }

  /** Nothing is told or judged any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#return?.cancel();
    const { askProbe, upstream, endpoint } = this.#parts;
    if (this.#token === GRANTED || this.probing) askProbe?.(upstream, endpoint, false);
    this.#dropToken();
    // Nobody may go on believing that it is out: a new configuration may have it again, under the same name.
    if (this.available) return;
    this.#reason = 'not used any more';
    this.#tell(true);
  }
}
