/** What a fault is, and how a request for faults is written: `status=503,retry-after=2`, `10%:reset-mid-stream`. */
import type { Dice } from './token.ts';

/**
 * What a strict recipient should make of it. `answer`: an ordinary answer. `valid`: unusual and right, must be relayed.
 * `invalid`: nothing of it may be relayed (502). `cut`: breaks after a good start; the client must see the break.
 * `trailing`: the answer is right, the connection must not be used again. `either`: refusing and repairing are both
 * right. `silent`: nothing (more) comes.
 */
export type Verdict = 'answer' | 'valid' | 'invalid' | 'cut' | 'trailing' | 'either' | 'silent';

/** What happens to the connection after the raw bytes: stays open, FIN, or RST. */
export type After = 'open' | 'fin' | 'rst';

/** The answer that raw bytes are made of. */
export interface RawBody {
  /** Content-Type. */
  type: string;
  /** The whole body, one character a byte (latin1). */
  text: string;
}

/** One row of the table. */
export interface Fault {
  name: string;
  /** What its value means, or '' where it takes none. */
  value: string;
  /** Value where none is given. */
  fallback: string;
  verdict: Verdict;
  doc: string;
  /** The bytes in place of the answer, one character a byte; undefined for settings of a well-formed answer. */
  raw: ((body: RawBody) => string) | undefined;
  after: After;
  /** `once`: in one write; `drip`: a byte each millisecond; `endless`: fields go on until the other side has enough. */
  pace: 'once' | 'drip' | 'endless';
}

/** What was asked for, for one request. */
export class Plan {
  readonly values: ReadonlyMap<string, string>;
  /** The fault that replaces the answer. */
  readonly raw: Fault | undefined;

  constructor(values: ReadonlyMap<string, string>, raw: Fault | undefined) {
    this.values = values;
    this.raw = raw;
  }

  /** True when `name` was asked for. */
  has(name: string): boolean {
    return this.values.has(name);
  }

  /** Its value as a number, or `fallback` when it was not asked for or is no number. */
  number(name: string, fallback: number): number {
    const value = this.values.get(name);
    return value === undefined || Number.isNaN(Number(value)) ? fallback : Number(value);
  }
}

/** Nothing asked for. */
export const NO_PLAN = new Plan(new Map(), undefined);

const STYLES = new Set(['crlf', 'cr', 'nospace', 'comments', 'bom', 'multiline']);

/** `k=v,k` → a plan; throws an Error that says what is wrong. */
export function parsePlan(text: string, faults: ReadonlyMap<string, Fault>): Plan {
  const values = new Map<string, string>();
  let raw: Fault | undefined;
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const name = (at < 0 ? part : part.slice(0, at)).trim();
    const fault = faults.get(name);
    if (!fault) {
      throw new Error(`there is no fault '${name}'; \`gatehouse simulate --list-faults\` lists them`);
    }
    const value = at < 0 ? fault.fallback : part.slice(at + 1).trim();
    const number = /^\d+(\.\d+)?$/.test(value);
    const right =
      fault.value === ''
        ? at < 0
        : name === 'stall'
          ? value === 'head' || number
          : name === 'sse'
            ? STYLES.has(value)
            : name === 'status'
              ? /^[2-5]\d\d$/.test(value)
              : number;
    if (!right) {
      const expected =
        fault.value === '' ? 'takes no value' : `expects ${name}=${fault.value}, such as ${name}=${fault.fallback}`;
      throw new Error(`'${part.trim()}' is wrong: '${name}' ${expected}`);
    }
    values.set(name, value);
    if (fault.raw) raw = fault;
  }
  return new Plan(values, raw);
}

/** A plan for a share of the requests, or for the next few. */
export interface Rule {
  text: string;
  plan: Plan;
  /** From 0 to 1. */
  share: number;
  /** How many more requests it applies to. */
  times: number;
}

/** `10%:PLAN` (a share), `3x:PLAN` (the next three), or `PLAN` (all) → a rule; throws like `parsePlan`. */
export function parseRule(text: string, faults: ReadonlyMap<string, Fault>): Rule {
  const match = /^(?:(\d+(?:\.\d+)?)%:|(\d+)x:)?(.*)$/s.exec(text.trim());
  const share = match?.[1] === undefined ? 1 : Number(match[1]) / 100;
  if (share > 1) throw new Error(`'${text}' is wrong: a share is at most 100%`);
  const times = match?.[2] === undefined ? Number.POSITIVE_INFINITY : Number(match[2]);
  return { text, plan: parsePlan(match?.[3] ?? '', faults), share, times };
}

/** The plan of the first rule that the dice choose. */
export function choosePlan(rules: readonly Rule[], dice: Dice): Plan {
  for (const rule of rules) {
    if (rule.times < 1 || (rule.share < 1 && dice.next() >= rule.share)) continue;
    rule.times--;
    return rule.plan;
  }
  return NO_PLAN;
}
