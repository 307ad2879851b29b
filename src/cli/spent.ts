/** What a key of a budget has spent since its period began, by the ledger. */
import { type Rule, usageOf } from '../policy/quota/quota.ts';
import { dayOf, formatDay, type Ledger } from '../store/ledger.ts';

const DAY_MS = 86_400_000;

/**
 * Thousand-millionths of the currency. Whole days of UTC come from the sums by day; what a period has before the first of them,
 * and budgets whose key the sums do not know, from single entries.
 */
export async function spentOf(ledger: Ledger, { name, budget }: Rule, key: string, startedAt: number): Promise<number> {
  const where = budget === undefined ? undefined : usageOf(budget, key);
  if (where === undefined) {
    return entriesOf(ledger, { since: startedAt }, (detail) => detail?.charged?.[name] === key);
  }
  const day = Math.ceil(startedAt / DAY_MS);
  const [sum] = await ledger.sums({ by: [], from: formatDay(day), where });
  const whole = sum?.cost ?? 0;
  if (dayOf(startedAt) === day) return whole;
  return whole + (await entriesOf(ledger, { since: startedAt, until: day * DAY_MS, where }, () => true));
}

async function entriesOf(
  ledger: Ledger,
  query: NonNullable<Parameters<Ledger['entries']>[0]>,
  fits: (detail: { charged?: Record<string, string> } | undefined) => boolean,
): Promise<number> {
  let sum = 0;
  for await (const page of ledger.entries({ ...query, pageSize: 5000 }))
    for (const { cost, detail } of page) if (fits(detail as Parameters<typeof fits>[0])) sum += cost;
  return sum;
}
