/**
 * What operators change about limits while they run: one key gets another limit for a time, or what was counted for it is
 * forgotten. Kept in the store, where there is one, so that a restart and other nodes know of it too; in its history stands who.
 */
import { COST_UNIT, formatCost, parsePrice } from '../ai/cost.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { formatDuration, parseDuration } from '../kernel/limit.ts';
import { type Rule, sayKey } from '../policy/quota/quota.ts';
import type { Store } from '../store/store.ts';
import type { Budgets } from './budgets.ts';
import type { NodeLimits } from './nodelimits.ts';

/** Kind of their documents. */
export const OVERRIDE_KIND = 'limitOverride';
/** How often the store is read for what other nodes have changed (milliseconds). */
const REFRESH_MS = 10_000;
/** Longest time that a limit is raised for: what should last longer belongs into the configuration (milliseconds). */
const MOST_MS = 31 * 86_400_000;
/** Most that there may be at once. */
const MOST = 1000;

/** One key with another limit. */
export interface Override {
  readonly rule: string;
  readonly key: string;
  /** In units of the rule. */
  readonly limit: number;
  /** Until when, milliseconds since 1970. */
  readonly until: number;
}

/** What it is made of. */
export interface OverrideParts {
  clock: Clock;
  limits: NodeLimits;
  budgets: Budgets;
  store(): Store | undefined;
  notice(notice: NoticeEvent): void;
}

/** How it went: what stands now, or why nothing was done. */
export type Overridden = { ok: true; value: object } | { ok: false; problems: readonly string[] };

/** What an operator wants: one of `to` and `by`, and for how long. */
export interface RaiseOrder {
  rule?: unknown;
  key?: unknown;
  to?: unknown;
  by?: unknown;
  for?: unknown;
}

const no = (...problems: string[]): Overridden => ({ ok: false, problems });
const idOf = (rule: string, key: string) => JSON.stringify([rule, sayKey(key)]).slice(0, 500);

/** See the file's head. */
export class Overrides {
  readonly #parts: OverrideParts;
  readonly #all = new Map<string, Override>();
  #loadedAt = 0;

  constructor(parts: OverrideParts) {
    this.#parts = parts;
  }

  /** Those in force. */
  list(): Override[] {
    return [...this.#all.values()];
  }

  /** Reads them from the store. */
  async load(): Promise<void> {
    const { clock, store } = this.#parts;
    this.#loadedAt = clock.now();
    const open = store();
    if (open === undefined) return;
    const { documents } = await open.list<Override>(OVERRIDE_KIND, { limit: MOST });
    const there = new Set(documents.map(({ id }) => id));
    for (const [id, one] of this.#all) if (!there.has(id)) this.#end(id, one);
    for (const { id, value } of documents) this.#apply(id, value);
  }

  /** Ends what is over, and reads what other nodes have changed. */
  async look(): Promise<void> {
    const { clock } = this.#parts;
    for (const [id, one] of this.#all) if (one.until <= clock.wall()) this.#end(id, one);
    if (clock.now() - this.#loadedAt >= REFRESH_MS) await this.load().catch(() => {});
  }

  /** Gives a key another limit for a time. `who`: for the history. */
  async raise(order: RaiseOrder, who: string): Promise<Overridden> {
    const { clock, limits, notice } = this.#parts;
    const found = await this.#find(order.rule, order.key);
    if (typeof found === 'string') return no(found);
    const { rule, key, seen } = found;
    const forMs = typeof order.for === 'string' ? parseDuration(order.for) : undefined;
    if (forMs === undefined || forMs <= 0 || forMs > MOST_MS)
      return no(
        '`for` has to be a duration of at most 31d, such as 1h: what should last belongs into the configuration',
      );
    if ((order.to === undefined) === (order.by === undefined)) return no('give one of `to` and `by`, such as to: 500');
    const amount = amountOf(rule, order.to ?? order.by);
    if (amount === undefined)
      return no(`${JSON.stringify(order.to ?? order.by)} is no amount of ${rule.unit}, such as 500`);
    const now = limits.limitOf(rule, key);
    const limit = order.to === undefined ? now + amount : amount;
    if (!Number.isSafeInteger(Math.ceil(limit))) return no('that is too much');
    const until = clock.wall() + forMs;
    const value: Override = { rule: rule.name, key, limit, until };
    const id = idOf(rule.name, key);
    if (!this.#all.has(id) && this.#all.size >= MOST) return no(`there are ${MOST} already; end some of them`);
    await this.#parts
      .store()
      ?.write([{ op: 'put', kind: OVERRIDE_KIND, id, value, expiresAt: until }], { who, what: 'limits.raise' });
    this.#apply(id, value);
    const said = `${sayAmount(rule, limit)} instead of ${sayAmount(rule, now)} for ${formatDuration(forMs)}`;
    notice({ level: 'warn', message: `limit ${rule.name} of ${sayKey(key)}: ${said}, by ${who}` });
    return {
      ok: true,
      value: {
        rule: rule.name,
        key: sayKey(key),
        limit: sayAmount(rule, limit),
        until: new Date(until).toISOString(),
        ...(seen ? {} : { note: `nothing has been counted for ${sayKey(key)} so far; is it written as it should be?` }),
      },
    };
  }

  /** Ends another limit before its time. */
  async restore(ruleName: unknown, keyName: unknown, who: string): Promise<Overridden> {
    const found = await this.#find(ruleName, keyName);
    if (typeof found === 'string') return no(found);
    const id = idOf(found.rule.name, found.key);
    const one = this.#all.get(id);
    if (one === undefined)
      return no(`${found.rule.name} of ${sayKey(found.key)} has no other limit than that of the configuration`);
    await this.#parts.store()?.write([{ op: 'delete', kind: OVERRIDE_KIND, id }], { who, what: 'limits.restore' });
    this.#end(id, one);
    return { ok: true, value: { rule: found.rule.name, key: sayKey(found.key) } };
  }

  /** Forgets what was counted for a key; what is under way stays counted. */
  async release(ruleName: unknown, keyName: unknown, who: string): Promise<Overridden> {
    const { limits, budgets, notice } = this.#parts;
    const found = await this.#find(ruleName, keyName);
    if (typeof found === 'string') return no(found);
    const { rule, key } = found;
    if (rule.budget !== undefined) await budgets.release(rule.name, key, who);
    let released: boolean;
    try {
      released = await limits.release(rule.name, key);
    } catch (error) {
      return no(`what was counted for ${sayKey(key)} cannot be forgotten now: ${(error as Error).message}`);
    }
    if (!released) return no(`nothing is counted for ${sayKey(key)} by ${rule.name}; gatehouse limits shows what is`);
    notice({
      level: 'warn',
      message: `limit ${rule.name}: what was counted for ${sayKey(key)} is forgotten, by ${who}`,
    });
    return { ok: true, value: { rule: rule.name, key: sayKey(key) } };
  }

  /** The rule of this name, and the key that reads like this. */
  async #find(ruleName: unknown, keyName: unknown): Promise<{ rule: Rule; key: string; seen: boolean } | string> {
    const { limits } = this.#parts;
    if (typeof ruleName !== 'string') return 'name the limit (`rule`) as gatehouse limits shows it';
    const rules = limits.rules;
    const rule = rules.find(({ name }) => name === ruleName || name === `budget:${ruleName}`);
    if (rule === undefined)
      return `there is no limit ${JSON.stringify(ruleName)}; there are ${rules.map(({ name }) => name).join(', ')}`;
    if (typeof keyName !== 'string') return 'name the key as gatehouse limits shows it';
    try {
      const seen = await limits.keyNamed(rule.name, (key) => sayKey(key) === keyName);
      return { rule, key: seen ?? (keyName === '(none)' ? '' : keyName), seen: seen !== undefined };
    } catch (error) {
      return `limit ${rule.name} is counted by all nodes together, and their store cannot be asked: ${(error as Error).message}`;
    }
  }

  #apply(id: string, one: Override): void {
    const before = this.#all.get(id);
    this.#all.set(id, one);
    if (before?.limit !== one.limit) this.#parts.limits.limitKey(one.rule, one.key, one.limit);
  }

  #end(id: string, { rule, key }: Override): void {
    this.#all.delete(id);
    this.#parts.limits.limitKey(rule, key, undefined);
    this.#parts.notice({
      level: 'info',
      message: `limit ${rule} of ${sayKey(key)} is as the configuration has it again`,
    });
  }
}

function amountOf({ unit }: Rule, value: unknown): number | undefined {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  const parsed = parsePrice(text);
  if (parsed === undefined) return undefined;
  return unit === 'credits'
    ? parsed * (COST_UNIT / 1_000_000)
    : parsed % 1_000_000 === 0
      ? parsed / 1_000_000
      : undefined;
}

/** Units of a rule as people read them. */
export const sayAmount = ({ unit }: Pick<Rule, 'unit'>, units: number): string =>
  unit === 'credits' ? `${units < 0 ? '-' : ''}${formatCost(Math.abs(units))}` : String(Math.floor(units));
