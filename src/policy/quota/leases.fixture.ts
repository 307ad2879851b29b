/** A simulated node for tests: workers with leases, one authority, and a channel that delays, loses and dies. */
import type { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import type { Claim } from './claim.ts';
import type { Lease, Waiter } from './lease.ts';
import { Leases } from './leases.ts';
import type { Authority, LeaseAsk, LeaseGrant } from './protocol.ts';
import type { Rule } from './rule.ts';

/** How the channel behaves. Milliseconds and shares from 0 to 1. */
export interface Weather {
  delayMost: number;
  loss: number;
  timeout: number;
}

/** Some use of a limit. */
export interface Use {
  at: number;
  units: number;
  key?: string;
}

/** One request: claims `units`, uses `used` of them after `forMs`. */
export interface Job {
  units: number;
  used: number;
  forMs: number;
}

/** One worker process. */
export class SimulatedWorker {
  readonly holder: number;
  readonly leases: Leases;
  readonly #clock: ManualClock;
  readonly #rule: Rule;
  readonly #uses: Use[];
  alive = true;
  passed = 0;
  refused = 0;
  /** Refused because nobody could be asked. */
  lost = 0;
  open = 0;
  /** Units of what is under way, and of what has ended. */
  reserved = 0;
  written = 0;

  constructor(holder: number, clock: ManualClock, rule: Rule, authority: Authority, weather: Weather, uses: Use[]) {
    this.holder = holder;
    this.#clock = clock;
    this.#rule = rule;
    this.#uses = uses;
    const delay = () => clock.random() * weather.delayMost;
    this.leases = new Leases(clock, (asks: LeaseAsk[]) => {
      return new Promise<LeaseGrant[]>((done, failed) => {
        const timer = clock.after(weather.timeout, () => failed(new Error('timeout')));
        if (clock.random() < weather.loss) return;
        clock.after(delay(), async () => {
          // What a dead process had sent may still arrive, but nobody grants to the dead.
          if (!this.alive) return;
          const grants = await authority.exchange(holder, asks);
          // What comes a second time, and late, is out of order too.
          if (clock.random() < weather.loss)
            clock.after(clock.random() * weather.timeout, () => {
              if (this.alive) void authority.exchange(holder, asks);
            });
          if (clock.random() < weather.loss) return;
          clock.after(delay(), () => {
            timer.cancel();
            if (this.alive) done(grants);
          });
        });
      });
    });
  }

  /** A request comes. */
  request(key: string, { units, used, forMs }: Job): void {
    const lease: Lease = this.leases.lease(this.leases.rule(this.#rule), key);
    const claims: Claim[] = [{ lease, units, rule: this.#rule }];
    const waiter: Waiter = { retry: () => attempt() };
    const attempt = () => {
      if (!this.alive) return;
      const verdict = this.leases.take(claims, waiter);
      if (verdict === 'wait') return;
      if (verdict !== undefined) {
        this.refused++;
        if (verdict.lost) this.lost++;
        return;
      }
      this.passed++;
      this.open++;
      this.reserved += units;
      const end = () => {
        this.open--;
        if (!this.alive) return;
        this.reserved -= units;
        this.written += used;
        this.#uses.push({ at: this.#clock.now(), units: used, key });
        this.leases.settle(lease, units, used);
      };
      if (forMs === 0) end();
      else this.#clock.after(forMs, end);
    };
    attempt();
  }
}

/** Lets promises settle between steps of the clock. */
export async function run(clock: ManualClock, ms: number, step: number, each: () => void): Promise<void> {
  for (let t = 0; t < ms; t += step) {
    each();
    clock.advance(step);
    for (let i = 0; i < 4; i++) await null;
  }
}

/** The most units used in any interval of this length. */
export function most(uses: readonly Use[], windowMs: number): number {
  let from = 0;
  let sum = 0;
  let found = 0;
  for (const { at, units } of uses) {
    sum += units;
    while ((uses[from] as Use).at <= at - windowMs) sum -= (uses[from++] as Use).units;
    found = Math.max(found, sum);
  }
  return found;
}

/** Leases of one worker at an authority that counts nothing but this rule, and how many questions it was asked. */
export function countedLeases(clock: ManualClock, rule: Rule) {
  const authority = new LocalAuthority(clock);
  authority.configure([rule]);
  const counted = { asked: 0 };
  const leases = new Leases(clock, async (asks) => {
    counted.asked += asks.length;
    return authority.exchange(1, asks);
  });
  return { leases, owner: leases.rule(rule), counted };
}
