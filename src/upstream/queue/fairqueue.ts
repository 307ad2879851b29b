/**
 * Who is next. Classes by importance, strictly; within a class start-time fair queueing (Goyal, Vin and Cheng 1996) between
 * tenants, by weight and expected work; within a tenant first come, first served. A share of the places goes to those who have
 * waited too long, whatever their class, so that nobody starves. Every operation is O(log tenants) or less.
 */
import { firstOf } from './ahead.ts';
import { FatFlows } from './fatflows.ts';
import { Flow, type Order, type Waiter } from './flow.ts';
import { FlowHeap } from './flowheap.ts';

/** How a queue is run. */
export interface Rules {
  length: number;
  /** Milliseconds. */
  agedAfter: number;
  /** From 0 to 1. */
  agedShare: number;
}

/** Idle tenants that are remembered before those are forgotten that are owed nothing. */
const REMEMBERED = 1024;

/** Those of one importance. */
class Level<T> {
  readonly priority: number;
  readonly flows = new Map<string, Flow<T>>();
  readonly heap = new FlowHeap<T>();
  readonly fat = new FatFlows<T>();
  size = 0;
  /** Sum of the weights of those of whom somebody waits. */
  weights = 0;
  oldest: Waiter<T> | undefined = undefined;
  newest: Waiter<T> | undefined = undefined;
  /** Virtual time: the start tag of who was served last. */
  time = 0;

  constructor(priority: number) {
    this.priority = priority;
  }

  add(waiter: Waiter<T>): void {
    let flow = this.flows.get(waiter.tenant);
    if (flow === undefined) {
      if (this.flows.size > REMEMBERED + this.heap.size * 2) this.#forget();
      flow = new Flow<T>(waiter.tenant);
      this.flows.set(waiter.tenant, flow);
    }
    waiter.flow = flow;
    this.weights += waiter.weight - (flow.size === 0 ? 0 : flow.weight);
    flow.weight = waiter.weight;
    flow.push(waiter);
    this.fat.changed(flow, flow.size - 1);
    if (flow.size === 1) {
      flow.start = Math.max(flow.start, this.time);
      this.heap.add(flow);
    }
    // By waiting time: a try that failed comes back among those of its age.
    let older = this.newest;
    while (older !== undefined && older.since > waiter.since) older = older.older;
    waiter.older = older;
    waiter.newer = older === undefined ? this.oldest : older.newer;
    if (waiter.newer === undefined) this.newest = waiter;
    else waiter.newer.older = waiter;
    if (older === undefined) this.oldest = waiter;
    else older.newer = waiter;
    this.size++;
  }

  /** Takes it out; `served`: its tenant pays for it. */
  remove(waiter: Waiter<T>, served: boolean): void {
    const flow = waiter.flow as Flow<T>;
    if (waiter.older === undefined) this.oldest = waiter.newer;
    else waiter.older.newer = waiter.newer;
    if (waiter.newer === undefined) this.newest = waiter.older;
    else waiter.newer.older = waiter.older;
    this.size--;
    flow.remove(waiter);
    waiter.flow = undefined;
    this.fat.changed(flow, flow.size + 1);
    if (served) {
      this.time = Math.max(this.time, flow.start);
      flow.start += waiter.cost / flow.weight;
    }
    if (flow.size === 0) {
      this.heap.remove(flow);
      this.weights -= flow.weight;
    } else if (served) this.heap.moved(flow);
    if (this.size === 0) {
      this.flows.clear();
      this.time = 0;
      this.weights = 0;
    }
  }

  #forget(): void {
    for (const [tenant, flow] of this.flows) if (flow.size === 0 && flow.start <= this.time) this.flows.delete(tenant);
  }
}

/** See the file's head. */
export class FairQueue<T> {
  rules: Rules;
  size = 0;
  /** The most important first; empty ones stay. */
  readonly #levels: Level<T>[] = [];
  /** Part of a place that those who have waited too long are owed. */
  #owed = 0;

  constructor(rules: Rules) {
    this.rules = rules;
  }

  /**
   * Lets it wait. Undefined: it does, and nobody else goes. Else who has to go, which may be itself: the queue is full, and
   * that one is the least important, of the tenant that has most there, and the newest.
   */
  offer(waiter: Waiter<T>): Waiter<T> | undefined {
    let victim: Waiter<T> | undefined;
    if (this.size >= this.rules.length) {
      victim = this.#leastFor(waiter);
      if (victim === waiter) return waiter;
      this.remove(victim);
    }
    this.#level(waiter.priority).add(waiter);
    this.size++;
    return victim;
  }

  /** It waits no more. Nothing happens when it does not. */
  remove(waiter: Waiter<T>): void {
    if (waiter.flow === undefined) return;
    this.#level(waiter.priority).remove(waiter, false);
    this.size--;
  }

  /** Takes out who is next among those that `fits` allows. */
  next(now: number, fits: (value: T) => boolean): Waiter<T> | undefined {
    const top = this.#top;
    if (top === undefined) return undefined;
    const aged = this.#aged(now, top);
    if (aged !== undefined) {
      this.#owe();
      if (this.#owed >= 1 && fits(aged.value)) {
        this.#owed--;
        return this.#serve(aged);
      }
    }
    const head = top.heap.first?.head as Waiter<T>;
    if (fits(head.value)) return this.#serve(head);
    for (const level of this.#levels)
      for (let one = level.oldest, looked = 0; one !== undefined && looked < LOOKED_AT; one = one.newer, looked++)
        if (fits(one.value)) return this.#serve(one);
    return undefined;
  }

  /** Who comes next, one after the other, and so many at most, if nobody came or left; nobody from where one comes who has waited too long. */
  ahead(now: number, most: number): Waiter<T>[] {
    const ahead: Waiter<T>[] = [];
    for (const level of this.#levels) {
      if (level.size === 0) continue;
      let turns = most;
      if (this.#aged(now, level) !== undefined)
        turns = Math.min(most, Math.ceil((1 - this.#owed) / this.rules.agedShare) - 1);
      if (ahead.length >= turns) break;
      ahead.push(...firstOf(level.heap, turns - ahead.length));
      if (ahead.length >= turns) break;
    }
    return ahead;
  }

  /** So many of those who wait are probably served before one that comes now: all who are more important, and of its own class those whose turn it is by their shares. */
  beforeOne({ priority, tenant, weight }: Order): number {
    let sum = 0;
    for (const level of this.#levels) {
      if (level.priority > priority) sum += level.size;
      if (level.priority !== priority) continue;
      const flow = level.flows.get(tenant);
      const own = flow?.size ?? 0;
      // With all that its tenant has before it, as many times as its share goes into all shares.
      const weights = level.weights + (own === 0 ? weight : 0);
      sum += Math.min(level.size, ((own + 1) * weights) / weight - 1);
    }
    return sum;
  }

  /** The most important class of this importance or less in which somebody waits; -1: none. */
  below(priority: number): number {
    return this.#levels.find((level) => level.size > 0 && level.priority <= priority)?.priority ?? -1;
  }

  /** Takes out one that was served without being called. */
  served(waiter: Waiter<T>, now: number): void {
    const top = this.#top;
    if (top === undefined || waiter.flow === undefined) return;
    if (this.#aged(now, top) !== undefined) this.#owe();
    this.#serve(waiter);
  }

  get #top(): Level<T> | undefined {
    return this.#levels.find(({ size }) => size > 0);
  }

  /** Who has waited too long, in a lower class than the one whose turn it is. */
  #aged(now: number, top: Level<T>): Waiter<T> | undefined {
    let aged: Waiter<T> | undefined;
    for (const level of this.#levels) {
      const { oldest } = level;
      if (level === top || oldest === undefined || now - oldest.since < this.rules.agedAfter) continue;
      if (aged === undefined || oldest.since < aged.since) aged = oldest;
    }
    return aged;
  }

  /** A turn passes for which those who have waited too long are owed their share. */
  #owe(): void {
    const { agedShare } = this.rules;
    this.#owed = Math.min(1 + agedShare, this.#owed + agedShare);
  }

  /** How many wait that are as important as this, or more. */
  before(priority: number): number {
    let sum = 0;
    for (const level of this.#levels) if (level.priority >= priority) sum += level.size;
    return sum;
  }

  /** Everybody who waits, the most important first, in the order in which they came. */
  *all(): Generator<Waiter<T>> {
    for (const { oldest } of this.#levels)
      for (let one = oldest; one !== undefined; ) {
        const { newer } = one;
        yield one;
        one = newer;
      }
  }

  /** Those of each importance: how many, and since when the oldest waits. */
  classes(): { priority: number; waiting: number; tenants: number; since: number }[] {
    return this.#levels
      .filter(({ size }) => size > 0)
      .map(({ priority, size, heap, oldest }) => {
        return { priority, waiting: size, tenants: heap.size, since: oldest?.since ?? 0 };
      });
  }

  #serve(waiter: Waiter<T>): Waiter<T> {
    this.#level(waiter.priority).remove(waiter, true);
    this.size--;
    return waiter;
  }

  #leastFor(waiter: Waiter<T>): Waiter<T> {
    const lowest = this.#levels.findLast(({ size }) => size > 0);
    if (lowest === undefined || lowest.priority > waiter.priority) return waiter;
    const fattest = lowest.fat.most as Flow<T>;
    if (lowest.priority === waiter.priority) {
      const own = (lowest.flows.get(waiter.tenant)?.size ?? 0) + 1;
      if (own >= fattest.size) return waiter;
    }
    return fattest.tail as Waiter<T>;
  }

  #level(priority: number): Level<T> {
    const levels = this.#levels;
    let at = 0;
    while (at < levels.length && (levels[at] as Level<T>).priority > priority) at++;
    const found = levels[at];
    if (found?.priority === priority) return found;
    const made = new Level<T>(priority);
    levels.splice(at, 0, made);
    return made;
  }
}

/** How many of a class are looked at when who is next cannot use the place that there is. */
const LOOKED_AT = 64;
