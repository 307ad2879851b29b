/**
 * The handles that one kind of request counts into: all metrics of one (route, model, version, upstream), resolved at
 * first use, so that counting a request is additions only.
 */
import type { Exchange, Outcome, Usage } from '../kernel/exchange.ts';
import { WORKER_METRICS as M } from './catalog.ts';
import type { Counter, Family, Histogram, Registry } from './registry.ts';

/** The families that paths count into, registered once. */
export class PathFamilies {
  readonly requests: Family<Counter>;
  readonly duration: Family<Histogram>;
  readonly firstByte: Family<Histogram>;
  readonly firstToken: Family<Histogram>;
  readonly perToken: Family<Histogram>;
  readonly tokens: Family<Counter>;
  readonly wasted: Family<Counter>;
  readonly requestBytes: Family<Counter>;
  readonly responseBytes: Family<Counter>;
  readonly tries: Family<Counter>;
  readonly retries: Family<Counter>;

  constructor(registry: Registry) {
    this.requests = registry.counter(M.requests);
    this.duration = registry.histogram(M.duration);
    this.firstByte = registry.histogram(M.firstByte);
    this.firstToken = registry.histogram(M.firstToken);
    this.perToken = registry.histogram(M.perToken);
    this.tokens = registry.counter(M.tokens);
    this.wasted = registry.counter(M.wasted);
    this.requestBytes = registry.counter(M.requestBytes);
    this.responseBytes = registry.counter(M.responseBytes);
    this.tries = registry.counter(M.tries);
    this.retries = registry.counter(M.retries);
  }
}

/** The token counters of one path; only paths that speak to models have them. */
class TokenCounters {
  readonly input: Counter;
  readonly output: Counter;
  readonly cached: Counter;
  readonly reasoning: Counter;

  constructor(tokens: Family<Counter>, path: readonly string[]) {
    this.input = tokens.with(...path, 'input');
    this.output = tokens.with(...path, 'output');
    this.cached = tokens.with(...path, 'cached_input');
    this.reasoning = tokens.with(...path, 'reasoning');
  }

  count(usage: Usage): void {
    this.input.inc(usage.inputTokens);
    this.output.inc(usage.outputTokens);
    this.cached.inc(usage.cachedInputTokens);
    this.reasoning.inc(usage.reasoningTokens);
  }
}

/** The handles of one (route, model, version, upstream). Those that not every path needs are made at first use. */
export class Path {
  readonly #families: PathFamilies;
  readonly #labels: readonly string[];
  readonly #duration: Histogram;
  readonly #requestBytes: Counter;
  readonly #responseBytes: Counter;
  readonly #requests = new Map<number, Counter>();
  #firstByte: Histogram | undefined = undefined;
  #firstToken: Histogram | undefined = undefined;
  #perToken: Histogram | undefined = undefined;
  #tokens: TokenCounters | undefined = undefined;
  #tries: Counter | undefined = undefined;
  #retries: Counter | undefined = undefined;

  constructor(families: PathFamilies, route: string, model: string, version: string, upstream: string) {
    this.#families = families;
    this.#labels = [route, model, version, upstream];
    this.#duration = families.duration.with(...this.#labels);
    this.#requestBytes = families.requestBytes.with(...this.#labels);
    this.#responseBytes = families.responseBytes.with(...this.#labels);
  }

  /** Counts a request that has ended. */
  count(x: Exchange): void {
    const key = x.status * 8 + outcomeIndex(x.outcome);
    let requests = this.#requests.get(key);
    if (requests === undefined) {
      requests = this.#families.requests.with(...this.#labels, String(x.status), x.outcome);
      this.#requests.set(key, requests);
    }
    requests.inc(1);
    this.#duration.observe((x.endedAt - x.startedAt) / 1000);
    if (x.requestBytes > 0) this.#requestBytes.inc(x.requestBytes);
    if (x.responseBytes > 0) this.#responseBytes.inc(x.responseBytes);
    if (x.firstByteAt > 0) {
      this.#firstByte ??= this.#families.firstByte.with(...this.#labels);
      this.#firstByte.observe((x.firstByteAt - x.startedAt) / 1000);
    }
    if (x.firstTokenAt > 0) {
      this.#firstToken ??= this.#families.firstToken.with(...this.#labels);
      this.#firstToken.observe((x.firstTokenAt - x.startedAt) / 1000);
    }
    if (x.tries > 0) this.#countTries(x.tries);
    if (x.usage !== undefined) this.#countUsage(x, x.usage);
  }

  #countTries(tries: number): void {
    const upstream = this.#labels[3] as string;
    this.#tries ??= this.#families.tries.with(upstream);
    this.#retries ??= this.#families.retries.with(upstream);
    this.#tries.inc(tries);
    if (tries > 1) this.#retries.inc(tries - 1);
  }

  #countUsage(x: Exchange, usage: Usage): void {
    this.#tokens ??= new TokenCounters(this.#families.tokens, this.#labels);
    this.#tokens.count(usage);
    if (x.outcome === 'completed') {
      if (x.firstTokenAt > 0 && usage.outputTokens > 1) {
        this.#perToken ??= this.#families.perToken.with(...this.#labels);
        this.#perToken.observe((x.endedAt - x.firstTokenAt) / 1000 / (usage.outputTokens - 1));
      }
    } else if (x.outcome === 'client_aborted' || x.outcome === 'upstream_aborted') {
      this.#families.wasted.with(...this.#labels, x.outcome).inc(usage.outputTokens);
    }
  }
}

function outcomeIndex(outcome: Outcome): number {
  switch (outcome) {
    case 'completed':
      return 1;
    case 'denied':
      return 2;
    case 'failed':
      return 3;
    case 'client_aborted':
      return 4;
    case 'upstream_aborted':
      return 5;
    default:
      return 0;
  }
}
