/**
 * Learns by how much estimates of prompts must be raised or lowered: for each model and caller by what they have sent lately, beside it
 * for each model what callers have in common. Who sends odd prompts raises his own reservations; those of others move only when
 * several callers see the same, and then not far.
 */
import { Poll } from '../kernel/poll.ts';

/** Head room above what has been seen. */
const MARGIN = 1.08;
/** What an estimate is multiplied by while little is known of a model, and how many requests are enough to know. */
const UNKNOWN = 1.2;
const BELIEVED = 8;
const LOWEST = 0.25;
const HIGHEST = 8;
/** What callers have in common is never believed beyond this. */
const HIGHEST_SHARED = 3;
/** Ratios of a caller that are kept: the second largest counts, so that a single odd prompt moves nothing. */
const LATEST = 16;
/** With fewer the largest counts. */
const FEW = 4;
/** Half of what is too high is forgotten in this time, and all that was learnt when nothing new came for as long (milliseconds). */
const HALF_LIFE = 300_000;
/** What a caller has seen counts for others for so long. */
const FRESH = 3_600_000;
/** Names come from clients where any model is offered: so many pairs of caller and model are kept, and as many older ones. */
const MOST_PAIRS = 2048;
const MOST_MODELS = 500;
/** What a short prompt says is mostly about the template. */
const LEAST_TOKENS = 32;

/** What one caller has seen of one model. */
interface Own {
  readonly latest: number[];
  /** Where the next one goes. */
  next: number;
  /** How many have come. */
  seen: number;
  high: number;
  /** When the last one came. */
  at: number;
}

/** The latest of something, in bounded memory: when the young ones are many, the old ones go. */
class Recent<T> {
  #young = new Map<string, T>();
  #old = new Map<string, T>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): T | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  keep(key: string, value: T): void {
    if (this.#young.size >= this.#most && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}

/** See the file's head. Times are milliseconds of one clock that does not jump. */
export class TokenRatios {
  readonly #own = new Recent<Own>(MOST_PAIRS);
  readonly #shared = new Recent<Poll>(MOST_MODELS);

  /** By how much an estimate of this caller's prompt for this model is multiplied. */
  of(model: string, caller: string, now: number): number {
    const usual = this.#usual(model);
    const own = this.#own.get(pair(model, caller));
    if (own === undefined) return usual;
    const high = own.high * MARGIN;
    if (high > usual) return Math.min(HIGHEST, usual + (high - usual) * leftOf(own, now));
    return Math.max(own.seen < BELIEVED ? usual : LOWEST, high);
  }

  /** The part of it that this caller's own prompts have shown; 1 or more. */
  shown(model: string, caller: string, now: number): number {
    const own = this.#own.get(pair(model, caller));
    return own === undefined ? 1 : Math.min(HIGHEST, 1 + Math.max(0, own.high * MARGIN - 1) * leftOf(own, now));
  }

  /** A request that was estimated at `estimated` tokens (before `of`) had `real` ones. */
  learn(model: string, caller: string, now: number, estimated: number, real: number): void {
    if (estimated < LEAST_TOKENS || real <= 0) return;
    const key = pair(model, caller);
    const own = this.#own.get(key) ?? { latest: [], next: 0, seen: 0, high: 0, at: now };
    if (now - own.at > HALF_LIFE) own.latest.length = own.next = 0;
    own.latest[own.next] = Math.min(HIGHEST, Math.max(LOWEST, real / estimated));
    own.next = (own.next + 1) % LATEST;
    own.seen++;
    own.high = highOf(own.latest);
    own.at = Math.max(now, own.at);
    this.#own.keep(key, own);
    const shared = this.#shared.get(model) ?? new Poll(UNKNOWN, FRESH);
    this.#shared.keep(model, shared);
    shared.say(caller, own.high * MARGIN, own.at);
  }

  /** What callers of a model have in common. */
  #usual(model: string): number {
    const median = this.#shared.get(model)?.median ?? UNKNOWN;
    return Math.min(HIGHEST_SHARED, Math.max(LOWEST, median));
  }
}

const pair = (model: string, caller: string) => `${caller}\n${model}`;

/** The share of what was learnt that is still believed. */
const leftOf = ({ at }: Own, now: number) => (now <= at ? 1 : 2 ** ((at - now) / HALF_LIFE));

function highOf(latest: readonly number[]): number {
  let first = 0;
  let second = 0;
  for (const one of latest) {
    if (one > first) {
      second = first;
      first = one;
    } else if (one > second) second = one;
  }
  return latest.length < FEW ? first : second;
}
