/** Budgets after the death of a holder: what it held comes back, but for what it has used. */
import type { Book } from './book.ts';
import type { Holding } from './holding.ts';

/** Takes out what a holder has; gives the units that it held. */
export function takeOut(holdings: Holding[], holder: number): number {
  let held = 0;
  for (let i = holdings.length - 1; i >= 0; i--) {
    if (holdings[i]?.holder !== holder) continue;
    const [{ granted, back }] = holdings.splice(i, 1) as [Holding];
    held += granted - back;
  }
  return held;
}

/** All that a holder has used of a key since it began, as far as it was written down; undefined where nobody knows. */
export type UsedOf = (rule: string, key: string) => number | undefined;

/** What a holder of `held` units has used and not said; where nobody knows, all that it held counts as used. */
export function unsaidOf(held: number, used: number | undefined, said: number | undefined): number {
  return used === undefined || said === undefined ? held : Math.max(0, used - said);
}

/**
 * Settles what a holder had of budgets.
 */
export function closeHolder(books: Iterable<Book>, holder: number, usedOf: UsedOf, now: number): void {
  for (const { rule, accounts, told } of books) {
    if (rule.budget === undefined) continue;
    for (const [key, { counter, holdings }] of accounts) {
      const held = takeOut(holdings, holder);
      const unsaid = unsaidOf(held, usedOf(rule.name, key), told === undefined ? 0 : told.of(key, holder));
      if (held > 0 || unsaid > 0) counter.settle(held, unsaid, now);
    }
    told?.forget(holder);
  }
}
