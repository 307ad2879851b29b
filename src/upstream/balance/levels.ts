/**
 * Priority levels over the balancers: local endpoints first, the next level as much as the first falls short, after
 * Envoy's priority load (docs: "Priority levels", source/common/upstream/load_balancer_impl.cc). A level whose healthy
 * share s is at least 1/1.4 takes all that is left; below that it takes 1.4 × s of it and the rest spills over.
 *
 * Down at once, up with care: a lost endpoint counts immediately, a recovered one only when the level's share has
 * stayed up for `failBackAfter`, and has risen by at least `failBackRise`. Unless the other levels cannot carry the
 * load by themselves: then whatever is healthy is used without waiting.
 *
 * Panic is judged for each level, and only while all levels together cannot carry the load (`recalculatePerPriorityPanic`); a
 * level in panic uses all its endpoints for the share it has, and when all are in panic the shares go by numbers.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { hashString } from '../../kernel/hash.ts';
import type { UpstreamConfig } from '../config.ts';
import { createBalancer } from './balance.ts';
import type { Balancer, Candidate, Tried } from './candidate.ts';
import { Panic, pickInPanic, type TellPanic } from './panic.ts';
import { EPSILON, healthOf, levelLoads, panicLoads } from './priority.ts';

/** Where this gateway stands; undefined: nobody said. */
export interface Home {
  readonly zone: string | undefined;
  readonly region: string | undefined;
}

/** A level as operators see it. */
export interface LevelState {
  /** Names of its endpoints. */
  readonly endpoints: readonly string[];
  /** Share of its configured weight that is available, by what agents say of it, from 0 to 1. */
  readonly healthyShare: number;
  /** Share of the requests it takes now, from 0 to 1. */
  readonly load: number;
}

/**
 * Level of each endpoint, 0 first: ordered by the explicit `level` (0 when left out), then by nearness: same zone, same
 * region, elsewhere. An endpoint that says nothing of where it is, is near; so is every one for a gateway that does not.
 */
export function rankLevels(endpoints: UpstreamConfig['endpoints'], home: Home): number[] {
  const keys = endpoints.map((endpoint) => (endpoint.level ?? 0) * 3 + distance(endpoint, home));
  const order = [...new Set(keys)].sort((a, b) => a - b);
  return keys.map((key) => order.indexOf(key));
}

/** 0: same zone, or none is named; 1: another zone of the region; 2: another region. Ranks are counted densely. */
function distance(endpoint: { zone?: string | undefined; region?: string | undefined }, home: Home): number {
  if (differ(endpoint.region, home.region)) return 2;
  return differ(endpoint.zone, home.zone) ? 1 : 0;
}

const differ = (a: string | undefined, b: string | undefined) => a !== undefined && b !== undefined && a !== b;

interface Level {
  readonly members: readonly Candidate[];
  /** Sum of the configured weights. */
  readonly total: number;
  readonly balancer: Balancer;
  readonly panic: Panic;
  /** Healthy share as it is, and as it counts. */
  real: number;
  counted: number;
  /** Share that has been held since the timer was set, and the timer that makes it count. */
  held: number;
  timer: Timer | undefined;
}

/** See the file's head. Allocates nothing in `pick`. */
export class LevelBalancer implements Balancer {
  readonly #levels: readonly Level[];
  readonly #clock: Clock;
  readonly #config: UpstreamConfig['levels'];
  readonly #report: (levels: LevelState[]) => void;
  #loads: number[] = [];
  /** The level that takes everything; -1 when several share. */
  #sole = 0;
  #told = '';

  /**
   * `ranks`: level of each candidate; `weights`: their configured shares. `report` is told whenever loads change, `tellPanic`
   * of levels whose panic begins or ends.
   */
  constructor(
    upstream: Pick<UpstreamConfig, 'balance' | 'levels' | 'panicThreshold'>,
    candidates: readonly Candidate[],
    ranks: readonly number[],
    weights: readonly number[],
    clock: Clock,
    report: (levels: LevelState[]) => void,
    tellPanic: (level: number, ...news: Parameters<TellPanic>) => void = () => {},
  ) {
    this.#clock = clock;
    this.#config = upstream.levels;
    this.#report = report;
    const count = Math.max(...ranks) + 1;
    this.#levels = Array.from({ length: count }, (_, rank) => {
      const members = candidates.filter((_candidate, i) => ranks[i] === rank);
      return {
        members,
        total: weights.reduce((sum, weight, i) => (ranks[i] === rank ? sum + weight : sum), 0),
        balancer: createBalancer(upstream.balance, members, clock),
        panic: new Panic(upstream.panicThreshold, members, (...news) => tellPanic(rank, ...news)),
        real: 1,
        counted: 1,
        held: 1,
        timer: undefined,
      };
    });
    for (const level of this.#levels) {
      level.real = shareOf(level);
      level.counted = level.real;
    }
    this.#apply();
  }

  pick(key: string | number | undefined, tried: Tried): Candidate | undefined {
    const levels = this.#levels;
    const first = this.#sole >= 0 ? this.#sole : this.#draw(key);
    const picked = this.#pickAt(levels[first] as Level, key, tried);
    if (picked !== undefined) return picked;
    // Tried already, or its last endpoint has just gone: the nearest level that has one.
    for (let i = 0; i < levels.length; i++) {
      if (i === first) continue;
      const other = this.#pickAt(levels[i] as Level, key, tried);
      if (other !== undefined) return other;
    }
    return undefined;
  }

  #pickAt({ panic, balancer }: Level, key: string | number | undefined, tried: Tried): Candidate | undefined {
    return panic.all === undefined ? balancer.pick(key, tried) : pickInPanic(panic.all, tried, this.#clock);
  }

  changed(): void {
    for (const level of this.#levels) {
      level.balancer.changed();
      this.#follow(level, shareOf(level));
    }
    const { carries } = this;
    for (const { panic } of this.#levels) panic.judge(carries);
    this.#apply();
  }

  /** Each level with its share and load. */
  states(): LevelState[] {
    return this.#levels.map((level, i) => ({
      endpoints: level.members.map(({ id }) => id),
      healthyShare: level.real,
      load: this.#loads[i] ?? 0,
    }));
  }

  /** Whether what is available in all levels together can carry the load. */
  get carries(): boolean {
    const { overprovisioning } = this.#config;
    let health = 0;
    for (const level of this.#levels) health += healthOf(level.real, overprovisioning);
    return health >= 1 - EPSILON;
  }

  /** Stops its timers. */
  close(): void {
    for (const level of this.#levels) level.timer?.cancel();
  }

  #draw(key: string | number | undefined): number {
    // A caller that is kept at an endpoint by hash is kept at its level as well.
    let point = typeof key === 'string' ? hashString(key, 0x6c766c) / 0x1_0000_0000 : this.#clock.random();
    const loads = this.#loads;
    let last = 0;
    for (let i = 0; i < loads.length; i++) {
      const load = loads[i] as number;
      if (load <= 0) continue;
      last = i;
      point -= load;
      if (point < 0) return i;
    }
    return last;
  }

  #follow(level: Level, real: number): void {
    level.real = real;
    if (real <= level.counted + EPSILON) {
      level.counted = Math.min(level.counted, real);
      level.timer?.cancel();
      level.timer = undefined;
      return;
    }
    if (level.timer !== undefined) {
      level.held = Math.min(level.held, real);
      if (!this.#worthIt(level, level.held)) {
        level.timer.cancel();
        level.timer = undefined;
      }
    }
    if (level.timer === undefined) this.#wait(level);
  }

  #worthIt(level: Level, share: number): boolean {
    return share >= 1 - EPSILON || share - level.counted >= this.#config.failBackRise - EPSILON;
  }

  #wait(level: Level): void {
    if (!this.#worthIt(level, level.real)) return;
    level.held = level.real;
    level.timer = this.#clock.after(this.#config.failBackAfter, () => {
      level.timer = undefined;
      level.counted = level.held;
      if (level.real > level.counted + EPSILON) this.#wait(level);
      this.#apply();
    });
  }

  /** Shares into loads. */
  #apply(): void {
    const { overprovisioning } = this.#config;
    const counted = this.#levels.map((level) => level.counted);
    for (const [i, level] of this.#levels.entries()) {
      if (counted.reduce((sum, share) => sum + healthOf(share, overprovisioning), 0) >= 1 - EPSILON) break;
      // The others cannot carry it all: no time for caution. It counts from now on.
      counted[i] = level.real;
      level.counted = level.real;
      level.timer?.cancel();
      level.timer = undefined;
    }
    this.#loads = this.#levels.every(({ panic }) => panic.all !== undefined)
      ? panicLoads(this.#levels.map(({ panic }) => panic.all?.length ?? 0))
      : levelLoads(counted, overprovisioning);
    this.#sole = this.#loads.findIndex((load) => load >= 1 - EPSILON);
    if (this.#loads.every((load) => load === 0)) this.#sole = 0;
    const states = this.states();
    const told = JSON.stringify(states.map(({ healthyShare, load }) => [healthyShare, load]));
    if (told === this.#told) return;
    this.#told = told;
    this.#report(states);
  }
}

/** What an agent says of its server's weight counts, for less of it carries less; slow start does not. */
function shareOf({ total, members }: Level): number {
  if (total <= 0) return 0;
  let available = 0;
  for (const candidate of members) if (candidate.available) available += candidate.fullWeight;
  return Math.min(1, available / total);
}
