/** How limits stand that are counted in a store: read from its accounts, for operators. */
import type { Clock } from '../../../kernel/clock.ts';
import { CalendarPeriod } from '../period.ts';
import type { Rule } from '../rule.ts';
import { Nearest, type Standing } from '../standing.ts';
import { bringUp, freeOf, newAccount, resetOf } from './account.ts';
import { storeAsk } from './lines.ts';
import type { StoreAccount, StoreAsk } from './terms.ts';

/** A rule as a store knows it. */
export interface StoredRule {
  rule: Rule;
  period: CalendarPeriod | undefined;
}

/** These rules; periods of those that stay go on. */
export function storedRules(
  rules: readonly Rule[],
  before: ReadonlyMap<string, StoredRule>,
  clock: Clock,
): Map<string, StoredRule> {
  const stored = new Map<string, StoredRule>();
  for (const rule of rules) {
    const { refill } = rule;
    const same = before.get(rule.name);
    const keeps = JSON.stringify(same?.rule.refill) === JSON.stringify(refill);
    const begin = () =>
      refill.type === 'calendar' ? new CalendarPeriod(rule.limit, refill.every, refill.timeZone, clock) : undefined;
    stored.set(rule.name, { rule, period: keeps ? same?.period : begin() });
  }
  return stored;
}

/** What every key in a store begins with: in a cluster all lie where this says. */
export const storeTag = (prefix: string): string => `{${prefix}limits}`;

/** What the keys of all accounts of a rule begin with, where nothing else comes before. */
export const accountPrefix = ({ name, refill }: Rule): string => `${name}:${JSON.stringify(refill)}:`;

/** A question that asks for nothing. */
export function nothingAsked({ rule, period }: StoredRule, key: string, limit: number): StoreAsk {
  const none = { epoch: 0, granted: 0, back: 0, used: 0, need: 0, least: 0, wish: 0, heardBack: 0, heardUsed: 0 };
  return storeAsk({ ...none, rule: rule.name, key, free: 0, home: '' }, rule, period, 0, limit);
}

/** The standing of a key; undefined when nothing is held or counted. */
export function standingIn(
  stored: StoredRule,
  key: string,
  account: StoreAccount,
  limit: number,
  now: number,
): Standing | undefined {
  const ask = nothingAsked(stored, key, limit);
  bringUp(account, ask, now);
  const full = ask.type === 'b' ? ask.burst : limit;
  const free = freeOf(account, ask);
  if (free >= full) return undefined;
  const { name, unit } = stored.rule;
  return { rule: name, unit, key, limit: full, free, resetMs: resetOf(account, ask, now) };
}

/**
 * One page of all accounts. KEYS: state of all. ARGV: cursor, pattern, how many to look at. Answers: next cursor, time of the store, then for
 * each account its key, its numbers and its slots.
 */
const LIST_SCRIPT = `
local num = function(x) return string.format('%.17g', x) end
local time = redis.call('TIME')
local offset = tonumber(redis.call('HGET', KEYS[1], 'offset') or '0') or 0
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
local out = {page[1], num(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + offset)}
for _, key in ipairs(page[2]) do
  local kept = redis.pcall('GET', key)
  if type(kept) == 'string' then
    local a = cmsgpack.unpack(kept)
    local s = {}
    for i, x in ipairs(a.s) do s[i] = num(x) end
    out[#out + 1] = key
    out[#out + 1] = num(a.h) .. ' ' .. num(a.u) .. ' ' .. num(a.l) .. ' ' .. num(a.a) .. ' ' .. num(a.p) .. ' ' .. num(a.d or 0)
    out[#out + 1] = table.concat(s, ' ')
  end
end
return out
`;

/** KEYS: state of all, account. ARGV: burst, or 0. Forgets what was counted, but not what is held. Answers whether there was something. */
const RELEASE_SCRIPT = `
local kept = redis.call('GET', KEYS[2])
if not kept then return 0 end
local a = cmsgpack.unpack(kept)
if a.x then
  local lapsed = 0
  for _, one in ipairs(a.x) do lapsed = lapsed + one[3] - one[4] end
  a.f = a.f + math.max(0, a.u - lapsed)
  a.x = {}
  a.y = 0
end
a.u = 0
a.s = {}
a.d = nil
a.l = tonumber(ARGV[1]) - a.h
local left = redis.call('PTTL', KEYS[2])
redis.call('SET', KEYS[2], cmsgpack.pack(a), 'PX', string.format('%.0f', math.max(left, 1)))
return 1
`;

/** Runs a script in the store. */
export type RunAny = (script: string, keys: string[], args: string[]) => Promise<unknown>;

/** Accounts that one call looks at, and all calls of one listing. */
const PAGE = 1000;
const LOOK_MOST = 200_000;

/** Accounts of all rules in a store that nodes share. `tag`: what all keys begin with. */
export class Inspector {
  readonly #run: RunAny;
  readonly #tag: () => string;

  constructor(run: RunAny, tag: () => string) {
    this.#run = run;
    this.#tag = tag;
  }

  /** The nearest to their limit, of the first 200,000 accounts that the store names. Rejects when it cannot be reached. */
  async standings(
    rules: readonly StoredRule[],
    limitOf: (rule: Rule, key: string) => number,
    most: number,
  ): Promise<Standing[]> {
    const nearest = new Nearest(most);
    await this.#walk(rules, (stored, key, account, now) => {
      const standing = standingIn(stored, key, account, limitOf(stored.rule, key), now);
      if (standing !== undefined) nearest.add(standing);
      return false;
    });
    return nearest.list();
  }

  /** The key of a rule that fits, among those that are counted. */
  async keyNamed(rule: StoredRule, fits: (key: string) => boolean): Promise<string | undefined> {
    let found: string | undefined;
    await this.#walk([rule], (_, key) => {
      if (!fits(key)) return false;
      found = key;
      return true;
    });
    return found;
  }

  /** Forgets what was counted of a key. Returns whether there was something. */
  async release({ refill, ...rule }: Rule, key: string): Promise<boolean> {
    const name = `${this.#tag()}:${accountPrefix({ ...rule, refill })}${key}`;
    const burst = refill.type === 'bucket' ? refill.burst : 0;
    return Number(await this.#run(RELEASE_SCRIPT, [`${this.#tag()}:limits`, name], [String(burst)])) === 1;
  }

  async #walk(
    rules: readonly StoredRule[],
    each: (stored: StoredRule, key: string, account: StoreAccount, now: number) => boolean,
  ): Promise<void> {
    const tag = this.#tag();
    const known = rules.map((stored) => ({ stored, prefix: `${tag}:${accountPrefix(stored.rule)}` }));
    const [only] = known;
    const pattern = `${escaped(known.length === 1 && only !== undefined ? only.prefix : `${tag}:`)}*`;
    let cursor = '0';
    let looked = 0;
    do {
      const answer = await this.#run(LIST_SCRIPT, [`${tag}:limits`], [cursor, pattern, String(PAGE)]);
      const page = (answer as unknown[]).map(String);
      cursor = page[0] ?? '0';
      const now = Number(page[1]);
      for (let i = 2; i + 2 < page.length; i += 3) {
        const name = page[i] as string;
        const found = known.find(({ prefix }) => name.startsWith(prefix));
        if (found === undefined) continue;
        const account = accountOf(page[i + 1] as string, page[i + 2] as string, now);
        if (each(found.stored, name.slice(found.prefix.length), account, now)) return;
      }
      looked += PAGE;
    } while (cursor !== '0' && looked < LOOK_MOST);
  }
}

function accountOf(numbers: string, slots: string, now: number): StoreAccount {
  const [h = 0, u = 0, l = 0, a = now, p = 0, d = 0] = numbers.split(' ').map(Number);
  return { h, u, l, a, p, d: d > 0 ? d : undefined, s: slots === '' ? [] : slots.split(' ').map(Number), n: {} };
}

/** A text as Redis' patterns have it, word for word. */
const escaped = (text: string): string => text.replace(/[\\*?[\]]/g, '\\$&');

/** An account that begins anew, but for what is held. */
export function released(account: StoreAccount, ask: StoreAsk, now: number): StoreAccount {
  const { h, n } = account;
  const fresh = newAccount(ask, now);
  return { ...fresh, h, n, l: fresh.l - h };
}
