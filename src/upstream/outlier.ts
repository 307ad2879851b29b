/**
 * Outlier ejection with Envoy's semantics (Envoy documentation, "Outlier detection"; `outlier_detection_impl.cc`): runs of
 * failures of three kinds, and success rates far below the mean of all hosts. An ejection lasts the base time multiplied
 * by how often the host was ejected, up to a bound; each interval in which it stays in takes one off that number.
 */
import type { Clock, Timer } from '../kernel/clock.ts';

/** The part of `upstreams.NAME.passive` that is read here; times in milliseconds. A count of 0 is off. */
export interface OutlierSettings {
  readonly consecutiveErrors: number;
  readonly consecutive5xx: number;
  readonly consecutiveGatewayErrors: number;
  readonly ejectFor: number;
  readonly maxEjectFor: number;
  readonly interval: number;
}

/** How success rates are compared. */
export interface SuccessRateSettings {
  readonly minHosts: number;
  readonly minRequests: number;
  readonly stdevFactor: number;
}

/** Statuses with which a gateway says that it got no answer. */
const isGatewayError = (status: number): boolean => status >= 502 && status <= 504;

/** What one endpoint's requests have met. */
export class OutlierCount {
  readonly #settings: OutlierSettings;
  #errors = 0;
  #server = 0;
  #gateway = 0;
  #times = 0;
  #backAt = 0;
  /** Requests in this interval, and how many of them did not end with an error. */
  requests = 0;
  good = 0;

  constructor(settings: OutlierSettings) {
    this.#settings = settings;
  }

  /** An answer with this status has come. Returns why the endpoint is to be ejected, or ''. */
  answered(status: number): string {
    this.requests++;
    this.#errors = 0;
    if (status < 500) {
      this.good++;
      this.#server = 0;
      this.#gateway = 0;
      return '';
    }
    this.#gateway = isGatewayError(status) ? this.#gateway + 1 : 0;
    this.#server++;
    return this.#verdict();
  }

  /** No connection, a broken answer or none. Returns why the endpoint is to be ejected, or ''. */
  failed(): string {
    this.requests++;
    this.#errors++;
    this.#server++;
    this.#gateway++;
    return this.#verdict();
  }

  #verdict(): string {
    const { consecutiveErrors, consecutive5xx, consecutiveGatewayErrors } = this.#settings;
    if (consecutiveErrors > 0 && this.#errors >= consecutiveErrors) return `${consecutiveErrors} errors in a row`;
    if (consecutive5xx > 0 && this.#server >= consecutive5xx) return `${consecutive5xx} answers of 5xx in a row`;
    if (consecutiveGatewayErrors > 0 && this.#gateway >= consecutiveGatewayErrors) {
      return `${consecutiveGatewayErrors} answers of 502, 503 or 504 in a row`;
    }
    return '';
  }

  /** It is ejected at `now`; returns for how long. */
  eject(now: number): number {
    const { ejectFor, maxEjectFor, interval } = this.#settings;
    if (this.#times > 0) this.#times = Math.max(0, this.#times - Math.floor((now - this.#backAt) / interval));
    this.#times++;
    return Math.min(ejectFor * this.#times, Math.max(ejectFor, maxEjectFor));
  }

  /** It is back at `now`. */
  back(now: number): void {
    this.#backAt = now;
    this.#errors = 0;
    this.#server = 0;
    this.#gateway = 0;
  }

  /** A new interval begins. */
  renew(): void {
    this.requests = 0;
    this.good = 0;
  }
}

/**
 * Which of `hosts` (by place) succeed far more seldom than all: below mean − stdevFactor × standard deviation of the success
 * rates of those with enough requests. None when there are too few of these.
 */
export function successRateOutliers(
  hosts: readonly { readonly requests: number; readonly good: number }[],
  settings: SuccessRateSettings,
): number[] {
  const rated: number[] = [];
  let sum = 0;
  for (const [at, { requests, good }] of hosts.entries()) {
    if (requests < settings.minRequests || requests === 0) continue;
    rated.push(at);
    sum += good / requests;
  }
  if (rated.length < settings.minHosts) return [];
  const rate = (at: number) => (hosts[at]?.good ?? 0) / (hosts[at]?.requests ?? 1);
  const mean = sum / rated.length;
  const variance = rated.reduce((total, at) => total + (rate(at) - mean) ** 2, 0) / rated.length;
  const threshold = mean - settings.stdevFactor * Math.sqrt(variance);
  return rated.filter((at) => rate(at) < threshold);
}

/** An endpoint whose success is compared. */
export interface Compared {
  readonly standing: { readonly outliers: OutlierCount; eject(why: string): void };
}

/** Ejects whose success rate lies far below that of the others, at the end of each interval; undefined: not wanted. */
export function compareOutliers(
  clock: Clock,
  { successRate, interval }: { successRate?: SuccessRateSettings | undefined; interval: number },
  endpoints: readonly Compared[],
): Timer | undefined {
  if (successRate === undefined) return undefined;
  return clock.every(interval, () => {
    const counts = endpoints.map(({ standing }) => standing.outliers);
    for (const at of successRateOutliers(counts, successRate)) {
      const { good, requests } = counts[at] as OutlierCount;
      endpoints[at]?.standing.eject(`only ${good} of ${requests} requests succeeded, far fewer than elsewhere`);
    }
    for (const count of counts) count.renew();
  });
}
