/** Importance of requests, from 0 to 100, the words for it, and the classes it makes. */

/** What the words for importance stand for. */
export const PRIORITIES = { realtime: 90, batch: 50, test: 10 } as const;

/** A class of requests. */
export type ClassName = keyof typeof PRIORITIES;

/** All classes, the most important first; their numbers are their places here. */
export const CLASSES = ['realtime', 'batch', 'test'] as const satisfies readonly ClassName[];

/** Importance where nobody has said anything. */
export const USUAL_PRIORITY = PRIORITIES.batch;

const WORDS: ReadonlyMap<number, string> = new Map(Object.entries(PRIORITIES).map(([word, value]) => [value, word]));

/** How an importance is called in metrics of queues: its word, or the number where it has none. */
export const priorityName = (priority: number): string => WORDS.get(priority) ?? String(priority);

/**
 * Number of the class of an importance. What lies between two words belongs to the more important class, so that nothing is
 * treated worse than it was said to be: up to 10 `test`, up to 50 `batch`, beyond `realtime`.
 */
export const classOf = (priority: number): number =>
  priority > PRIORITIES.batch ? 0 : priority > PRIORITIES.test ? 1 : 2;

/** Name of the class of an importance. */
export const className = (priority: number): ClassName => CLASSES[classOf(priority)] as ClassName;
