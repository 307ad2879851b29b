/** What a key of a budget has spent since its period began, by the ledger. */
import { type Rule, usageOf } from '../policy/quota/quota.ts';
import { dayOf, formatDay, HOUR_MS, type Ledger, type LedgerEntry } from '../store/ledger.ts';

const DAY_MS = 86_400_000;

/**
 * Thousand-millionths of the currency. From sums that are kept: by day of UTC where usage tells the key by itself, by hour where
 * each entry says whom it was charged to. Single entries are added up for what a period has before the first whole one, in zones
 * where it begins within.
 */
export async function spentOf(ledger: Ledger, { name, budget }: Rule, key: string, startedAt: number): Promise<number> {
  const where = budget === undefined ? undefined : usageOf(budget, key);
  if (where === undefined) {
    const fromHour = Math.ceil(startedAt / HOUR_MS);
    const whole = await ledger.charged({ budget: name, key, fromHour });
    return whole + (await chargedUntil(ledger, name, key, startedAt, fromHour * HOUR_MS));
  }
  const day = Math.ceil(startedAt / DAY_MS);
  const [sum] = await ledger.sums({ by: [], from: formatDay(day), where });
  const whole = sum?.cost ?? 0;
  if (dayOf(startedAt) === day) return whole;
  return whole + (await ledger.cost({ since: startedAt, until: day * DAY_MS, where }));
}

/** The same of less than an hour, where periods begin at half an hour. */
async function chargedUntil(
  ledger: Ledger,
  budget: string,
  key: string,
  since: number,
  until: number,
): Promise<number> {
  let sum = 0;
  if (since === until) return sum;
  for await (const page of ledger.entries({ since, until, pageSize: 5000 }))
    for (const { cost, detail } of page) {
      const charged = (detail as { charged?: Record<string, string> } | undefined)?.charged;
      if (charged?.[budget] === key) sum += cost;
    }
  return sum;
}

/** The key of a budget that an entry was charged to; undefined: none that is known. */
export function keyOf(rule: Rule, entry: LedgerEntry): string | undefined {
  const { budget, name } = rule;
  if (budget === undefined) return undefined;
  const charged = (entry.detail as { charged?: Record<string, string> } | undefined)?.charged;
  if (charged !== undefined && Object.hasOwn(charged, name)) return charged[name];
  const parts = budget.key.filter((part) => part !== 'resource');
  if (usageOf(budget, '') === undefined) return undefined;
  if (parts.length === 0) return '*';
  return parts.map((part) => entry[part === 'apiKey' ? 'key' : (part as 'tenant')]).join('\0');
}
