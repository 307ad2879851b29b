/** Budgets after the death of a holder: what it held comes back, but for what it has used. */
import type { Book } from './book.ts';
import type { Holding } from './holding.ts';

/**
 * Settles what a holder had of budgets. `usedOf`: all that it has used of a key since it began, as far as it was written down;
 * undefined where nobody knows, and then what it held counts as used.
 */
export function closeHolder(
  books: Iterable<Book>,
  holder: number,
  usedOf: (rule: string, key: string) => number | undefined,
  now: number,
): void {
  for (const { rule, accounts } of books) {
    if (rule.budget === undefined) continue;
    for (const [key, { counter, holdings, told }] of accounts) {
      let held = 0;
      for (let i = holdings.length - 1; i >= 0; i--) {
        if (holdings[i]?.holder !== holder) continue;
        const [{ granted, back }] = holdings.splice(i, 1) as [Holding];
        held += granted - back;
      }
      const said = told?.get(holder) ?? 0;
      told?.delete(holder);
      if (held === 0 && said === 0) continue;
      const used = usedOf(rule.name, key);
      counter.settle(held, used === undefined ? held : Math.max(0, used - said), now);
    }
  }
}
