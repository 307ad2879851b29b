/** Importance of requests, from 0 to 100, and the words for it. */

/** What the words for importance stand for. */
export const PRIORITIES = { realtime: 90, batch: 50, test: 10 } as const;

const WORDS: ReadonlyMap<number, string> = new Map(Object.entries(PRIORITIES).map(([word, value]) => [value, word]));

/** How an importance is called in metrics: its word, or the number where it has none. */
export const priorityName = (priority: number): string => WORDS.get(priority) ?? String(priority);
