/** How a limit stands for one key, for operators. */
import type { Counter } from './counter.ts';
import type { Rule, Unit } from './rule.ts';

/** State of one rule for one key. */
export interface Standing {
  rule: string;
  unit: Unit;
  key: string;
  /** For this key, whatever has raised it. */
  limit: number;
  free: number;
  /** Milliseconds until all of it is free again, if nothing more is used. */
  resetMs: number;
}

/** The standing of a key; undefined when nothing is held or counted. */
export function standingOf(
  rule: Rule,
  key: string,
  counter: Counter,
  extra: number,
  now: number,
): Standing | undefined {
  if (counter.empty(now)) return undefined;
  const limit = rule.limit + extra;
  return {
    rule: rule.name,
    unit: rule.unit,
    key,
    limit,
    free: counter.free(now) + extra,
    resetMs: counter.resetMs(now),
  };
}

const shareOf = ({ free, limit }: Pick<Standing, 'free' | 'limit'>): number => free / Math.max(1, limit);

/** Finds those with the smallest share free among any number, and keeps hardly more of them than are wanted. */
export class Nearest {
  readonly #most: number;
  #found: Standing[] = [];
  /** What has a larger share free is not among them. */
  #worst = Number.POSITIVE_INFINITY;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether one like this would be among them. */
  wants(free: number, limit: number): boolean {
    return free / Math.max(1, limit) < this.#worst;
  }

  add(standing: Standing): void {
    if (shareOf(standing) >= this.#worst) return;
    if (this.#found.push(standing) >= this.#most * 2) this.#cut();
  }

  /** The nearest first. */
  list(): Standing[] {
    this.#cut();
    return this.#found;
  }

  #cut(): void {
    this.#found.sort((a, b) => shareOf(a) - shareOf(b));
    this.#found.length = Math.min(this.#found.length, this.#most);
    const last = this.#found.at(-1);
    if (last !== undefined && this.#found.length === this.#most) this.#worst = shareOf(last);
  }
}
