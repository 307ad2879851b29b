/**
 * The circuit breaker of one endpoint: a state machine without clock or sockets. Closed, it counts what requests meet and
 * opens by one of four rules. Open, it lets nothing through for `openFor`; then exactly one request, the probe, may pass
 * (half-open), whose success closes it. It opens anew when the probe fails, and also when another rule refuses the probe
 * before it could tell anything: Sentinel's semantics (`AbstractCircuitBreaker.fromOpenToHalfOpen`), without which a
 * refused probe would leave it half-open for good.
 */
import { formatDuration } from '../kernel/limit.ts';
import { SlidingWindow } from './window.ts';

/** The rules; times in milliseconds, shares from 0 to 1. A rule of 0 is off. */
export interface BreakerSettings {
  /** Requests in a row that timed out. */
  readonly consecutiveTimeouts: number;
  /** Requests in a row that failed in any way. */
  readonly consecutiveErrors: number;
  /** Share of failed requests in the window. */
  readonly errorRatio: number;
  /** Share of slow requests in the window. */
  readonly slowRatio: number;
  /** From when on an answer is slow. */
  readonly slowAfter: number;
  readonly window: number;
  /** Requests in the window before a share means anything. */
  readonly minRequests: number;
  readonly openFor: number;
}

/** What it lets through: all, nothing, one probe. */
export type BreakerState = 'closed' | 'open' | 'halfOpen';

/** Settings under which it opens only when it is told to. */
export const BREAKER_OFF: BreakerSettings = {
  consecutiveTimeouts: 0,
  consecutiveErrors: 0,
  errorRatio: 0,
  slowRatio: 0,
  slowAfter: 0,
  window: 10_000,
  minRequests: 1,
  openFor: 30_000,
};

/** See the file's head. All times are monotonic milliseconds. */
export class Breaker {
  state: BreakerState = 'closed';
  /** An operator holds it in its state: no rule changes it. */
  forced = false;
  /** Why it is in its state. */
  reason = '';
  /** Open until then. */
  openUntil = 0;
  readonly settings: BreakerSettings;
  readonly #window: SlidingWindow | undefined;
  #timeouts = 0;
  #errors = 0;
  #closedAt = Number.NEGATIVE_INFINITY;

  constructor(settings: BreakerSettings) {
    this.settings = settings;
    this.#window = settings.errorRatio > 0 || settings.slowRatio > 0 ? new SlidingWindow(settings.window) : undefined;
  }

  /** Open for long enough: a probe may be taken. */
  due(now: number): boolean {
    return this.state === 'open' && !this.forced && now >= this.openUntil;
  }

  /** Takes the one probe; false: there is none to be had. */
  takeProbe(now: number): boolean {
    if (!this.due(now)) return false;
    this.state = 'halfOpen';
    this.reason = 'one request probes it';
    return true;
  }

  /** The probe has ended: well, badly, or without having been sent. Ignored when no probe is out. */
  probed(now: number, good: boolean, reason: string): void {
    if (this.state !== 'halfOpen' || this.forced) return;
    if (good) this.#close(now, reason);
    else this.#open(now, this.settings.openFor, reason);
  }

  /**
   * A request that was no probe has been answered after `tookMs`; `startedAt` says when it was sent. True: it has opened.
   */
  succeeded(now: number, startedAt: number, tookMs: number): boolean {
    if (!this.#counts(startedAt)) return false;
    this.#timeouts = 0;
    this.#errors = 0;
    if (this.#window === undefined) return false;
    const { slowRatio, slowAfter } = this.settings;
    this.#window.add(now, false, slowRatio > 0 && tookMs >= slowAfter);
    return this.#judgeShares(now);
  }

  /** A request that was no probe has failed. True: it has opened. */
  failed(now: number, startedAt: number, timeout: boolean): boolean {
    if (!this.#counts(startedAt)) return false;
    const { consecutiveTimeouts, consecutiveErrors } = this.settings;
    this.#errors++;
    this.#timeouts = timeout ? this.#timeouts + 1 : 0;
    if (consecutiveTimeouts > 0 && this.#timeouts >= consecutiveTimeouts) {
      this.#open(now, this.settings.openFor, `${this.#timeouts} timeouts in a row`);
      return true;
    }
    if (consecutiveErrors > 0 && this.#errors >= consecutiveErrors) {
      this.#open(now, this.settings.openFor, `${this.#errors} errors in a row`);
      return true;
    }
    if (this.#window === undefined) return false;
    this.#window.add(now, true, timeout && this.settings.slowRatio > 0);
    return this.#judgeShares(now);
  }

  /** What was decided elsewhere: by another worker, or by an operator (`forced`). `forMs`: how long it stays open. */
  set(now: number, state: 'closed' | 'open', forMs: number, forced: boolean, reason: string): void {
    this.forced = forced;
    if (state === 'closed') this.#close(now, reason);
    else this.#open(now, forMs, reason);
  }

  /** Requests that were sent before it last closed say nothing about the server as it is now. */
  #counts(startedAt: number): boolean {
    return this.state === 'closed' && !this.forced && startedAt >= this.#closedAt;
  }

  #judgeShares(now: number): boolean {
    const window = this.#window as SlidingWindow;
    const { errorRatio, slowRatio, slowAfter, minRequests, openFor } = this.settings;
    if (window.total < minRequests) return false;
    const { total, errors, slow } = window;
    if (errorRatio > 0 && errors / total >= errorRatio) {
      this.#open(now, openFor, `${errors} of ${total} requests failed`);
      return true;
    }
    if (slowRatio > 0 && slow / total >= slowRatio) {
      this.#open(now, openFor, `${slow} of ${total} answers took ${formatDuration(slowAfter)} or longer`);
      return true;
    }
    return false;
  }

  #open(now: number, forMs: number, reason: string): void {
    this.state = 'open';
    this.openUntil = now + forMs;
    this.reason = reason;
    this.#forget();
  }

  #close(now: number, reason: string): void {
    this.state = 'closed';
    this.openUntil = 0;
    this.#closedAt = now;
    this.reason = reason;
    this.#forget();
  }

  #forget(): void {
    this.#timeouts = 0;
    this.#errors = 0;
    this.#window?.clear();
  }
}
