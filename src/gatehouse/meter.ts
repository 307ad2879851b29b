/** The tokens of one request under limits: estimated before it is sent, counted while it streams, known at its end. */
import {
  answersOf,
  boundOf,
  costsTokens,
  type Operation,
  outputBound,
  promptTokens,
  type RequestPeek,
  type TokenAllowance,
  type TokenRatios,
} from '../ai/ai.ts';
import type { Events, ForwardedEvent } from '../kernel/event.ts';
import type { ActiveLimit, Admission, Demand } from '../policy/quota/quota.ts';
import { flushCorked } from '../socket/cork.ts';
import { callerOf } from './caller.ts';

/** What is known of a request. */
export interface Metered extends ForwardedEvent {
  readonly operation: Operation | undefined;
  readonly peek: RequestPeek | undefined;
  readonly body: Buffer | undefined;
  readonly worker: { readonly ratios: TokenRatios; readonly events: Events };
}

/** Fewer tokens than this for each answer are of no use to who has not asked for so few. */
const LEAST_OUTPUT = 64;
/** The rest of an allowance at which a stream asks for more. */
const AHEAD = 0.5;
/** A stream that could get no more asks for half as much, down to so many tokens. */
const LEAST_STEP = 16;
/**
 * Where the server knows the bound, only as much above it as weighing can be wrong by means that it ignores the bound. The
 * count of pieces is never too high.
 */
const DOUBT_SHARE = 1.5;
const DOUBT_TOKENS = 32;

/** See the file's head. */
export class Meter implements TokenAllowance {
  /** About the prompt's tokens by the bytes alone. */
  readonly estimate: number;
  /** The same, by what is known of the model. */
  readonly promptTokens: number;
  readonly answers: number;
  /** Output tokens that are reserved. */
  outputTokens = 0;
  /** What the server is told it may generate for each answer; 0: the client's own bound, or none. */
  told = 0;
  /** With so many output tokens the request could do as well, where a budget has no more left; 0: with no less. */
  leastOutput = 0;
  /** The reservation is enforced on a stream. */
  guards = false;
  /** Set when the reservation stands: a stream may ask it for more. */
  admission: Admission | undefined = undefined;
  /** Told when the answer has come to a question that its stream waits for. */
  decided: (() => void) | undefined = undefined;
  /** Its time, where that costs money too. */
  time: { allows(): boolean } | undefined = undefined;
  /** What is asked for next; 0: nothing more. */
  #step = 0;
  #asking = false;
  readonly #request: Metered;
  readonly #moreOf: (outputTokens: number) => Partial<Demand>;

  /** `moreOf`: what more output costs. */
  constructor(request: Metered, limits: readonly ActiveLimit[], moreOf: (outputTokens: number) => Partial<Demand>) {
    this.#request = request;
    this.#moreOf = moreOf;
    const { operation, peek, body, exchange, worker } = request;
    const costs = operation !== undefined && body !== undefined && costsTokens(operation);
    this.estimate = costs ? promptTokens(body) : 0;
    const ratio = worker.ratios.of(exchange.model, callerOf(exchange), exchange.startedAt);
    const generates = costs && boundOf(operation) !== undefined;
    this.answers =
      !generates || peek === undefined || body === undefined ? 1 : answersOf(operation as Operation, peek, body);
    this.promptTokens = this.#fitted(Math.ceil(this.estimate * ratio), generates, limits);
    if (generates) this.#reserve(operation, peek, exchange.stream, limits);
  }

  /**
   * What fits into the limits where only what others have sent, or nothing, says that the prompt is larger: who would be refused
   * for ever could not show that it is not.
   */
  #fitted(tokens: number, generates: boolean, limits: readonly ActiveLimit[]): number {
    const { operation, peek, exchange, worker } = this.#request;
    const bound = generates && peek !== undefined ? outputBound(operation, peek) : undefined;
    let room = Number.POSITIVE_INFINITY;
    for (const { rule, observe, most } of limits) {
      if (observe || (rule.unit !== 'tokens' && rule.unit !== 'inputTokens')) continue;
      const output = rule.unit === 'tokens' && generates ? Math.ceil(Math.max(1, bound ?? 1)) * this.answers : 0;
      if (tokens + output <= most) continue;
      // Some room for an answer, too.
      room = Math.min(room, most - (bound === undefined && output > 0 ? LEAST_OUTPUT * this.answers : output));
    }
    if (room === Number.POSITIVE_INFINITY) return tokens;
    const shown = worker.ratios.shown(exchange.model, callerOf(exchange), exchange.startedAt);
    return Math.min(tokens, Math.max(room, Math.ceil(this.estimate * shown)));
  }

  #reserve(operation: Operation, peek: RequestPeek | undefined, stream: boolean, limits: readonly ActiveLimit[]): void {
    const { answers } = this;
    let each = Number.POSITIVE_INFINITY;
    let watched = Number.POSITIVE_INFINITY;
    let room = Number.POSITIVE_INFINITY;
    for (const { rule, observe, output, most } of limits) {
      const { unit } = rule;
      if (unit !== 'tokens' && unit !== 'outputTokens' && unit !== 'credits') continue;
      watched = Math.min(watched, output);
      if (observe) continue;
      each = Math.min(each, output);
      if (unit !== 'credits') room = Math.min(room, unit === 'tokens' ? most - this.promptTokens : most);
    }
    this.guards = each !== Number.POSITIVE_INFINITY;
    const bound = peek === undefined ? undefined : outputBound(operation, peek);
    if (bound !== undefined) {
      const most = Math.ceil(Math.max(1, bound));
      this.outputTokens = most * answers;
      // A field that one server passes over may be the bound to another: none of them may stay open.
      if (this.guards && peek?.weakBound) this.told = most;
      return;
    }
    if (!this.guards) {
      this.outputTokens = watched === Number.POSITIVE_INFINITY ? 0 : watched * answers;
      return;
    }
    const wanted = each * answers;
    const told = Math.max(1, Math.floor(Math.min(wanted, room) / answers));
    this.outputTokens = told * answers;
    // Without `peek` the body is none that could be changed.
    if (stream && told === each) this.#step = wanted;
    else if (peek !== undefined) this.told = told;
    // Nobody could tell its server.
    else return;
    const least = Math.min(told, LEAST_OUTPUT) * answers;
    if (least < this.outputTokens) this.leastOutput = least;
  }

  /** Makes do with this share of the output beyond the least. */
  shrink(share: number): void {
    const { answers, leastOutput } = this;
    const each = Math.floor((leastOutput + (this.outputTokens - leastOutput) * share) / answers);
    this.outputTokens = each * answers;
    if (this.#step === 0) this.told = each;
  }

  /** Whoever was asked for more has to answer in time; so long the stream waits, rather than to end while there is more. */
  allows(pieces: number, tokens: number): boolean | 'wait' {
    if (this.time !== undefined && !this.time.allows()) return false;
    if (this.#step === 0) {
      const { outputTokens } = this;
      return pieces <= outputTokens && tokens <= outputTokens * DOUBT_SHARE + DOUBT_TOKENS;
    }
    const total = Math.max(pieces, tokens);
    if (!this.#asking && this.outputTokens - total < this.#step * AHEAD) this.#ask();
    return total <= this.outputTokens || (this.#asking && 'wait');
  }

  #ask(): void {
    const { admission } = this;
    while (admission !== undefined && this.#step >= LEAST_STEP) {
      const step = this.#step;
      const verdict = admission.extend(this.#moreOf(step), (granted) => this.#answered(step, granted));
      if (verdict === 'wait') {
        this.#asking = true;
        return;
      }
      if (verdict) {
        this.#grow(step);
        return;
      }
      this.#step = Math.floor(step / 2);
    }
    this.#step = Math.max(this.#step, 1);
    this.admission = undefined;
  }

  #answered(step: number, granted: boolean): void {
    this.#asking = false;
    if (granted) this.#grow(step);
    else this.#step = Math.floor(step / 2);
    if (!granted) this.#ask();
    if (this.#asking || this.decided === undefined) return;
    this.decided();
    flushCorked();
  }

  #grow(step: number): void {
    this.outputTokens += step;
    const { exchange, worker } = this.#request;
    if (exchange.outcome === 'open') worker.events.emit('requestForwarded', this.#request);
  }
}
