/**
 * The ledger: what each request used, appended once and never changed. Entries carry an id of the caller's making, so that
 * what may or may not have been written before a crash is simply appended again.
 */

/** By what usage can be told apart. */
export interface UsageKey {
  readonly tenant: string;
  /** Id of the key or subject that was charged; never a secret. */
  readonly key: string;
  readonly model: string;
  readonly version: string;
  readonly route: string;
}

/** What is counted; whole numbers from 0 to 2⁵³-1. */
export interface UsageCounts {
  readonly requests: number;
  /** Prompt tokens, cached ones included. */
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  /** Price in the smallest unit of account, which the caller chooses (a thousand-millionth of a credit is fine enough). */
  readonly cost: number;
}

/** One charge. */
export interface LedgerEntry extends UsageKey, UsageCounts {
  /** Unique: an entry whose id is there already is left out. */
  readonly id: string;
  /** When it was used, wall clock, milliseconds since 1970. */
  readonly at: number;
  /** Anything more that JSON holds, such as status and duration. */
  readonly detail?: unknown;
}

/** By what sums can be grouped; `day` is a day of UTC, `2026-11-30`. */
export type SumGroup = keyof UsageKey | 'day';

/** Which sums. */
export interface SumQuery {
  readonly by: readonly SumGroup[];
  /** First and last day, included, as `2026-11-30`. Undefined: no bound. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Only where these are so. */
  readonly where?: Partial<UsageKey> | undefined;
  /** At most this many groups, 10,000 by default. */
  readonly limit?: number | undefined;
}

/** One group's sum. Groups that were not asked for are missing. */
export interface Sum extends UsageCounts {
  readonly group: Readonly<Partial<Record<SumGroup, string>>>;
}

/** Which entries. */
export interface EntryQuery {
  /** Wall clock, milliseconds since 1970: not older than `since`, older than `until`. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly where?: Partial<UsageKey> | undefined;
  readonly pageSize?: number | undefined;
}

/** What one key of a budget was charged with: those of `detail.charged` (budget → key). */
export interface ChargeQuery {
  readonly budget: string;
  readonly key: string;
  /** From this hour (of UTC, since 1970) on. */
  readonly fromHour: number;
}

/** The ledger part of a store. */
export interface Ledger {
  /** Adds entries in one transaction. Answers how many were new. */
  append(entries: readonly LedgerEntry[]): Promise<number>;
  /** Sums in the order of their groups. Kept by day: asking is cheap however many entries there are, and outlives them. */
  sums(query: SumQuery): Promise<readonly Sum[]>;
  /** Sum of the cost of single entries; grows with their number. */
  cost(query: Pick<EntryQuery, 'since' | 'until' | 'where'>): Promise<number>;
  /** Cost that a key of a budget was charged with. Kept by hour: asking is cheap however many entries there are. */
  charged(query: ChargeQuery): Promise<number>;
  /** Keys that a budget was charged for from an hour on, those with the largest sums first. */
  chargedKeys(query: Omit<ChargeQuery, 'key'> & { readonly limit: number }): Promise<readonly string[]>;
  /** Entries by time and id, for export, in pages of `pageSize` at most. */
  entries(query?: EntryQuery): AsyncIterable<readonly LedgerEntry[]>;
}

/** What a key consists of, in the order of columns. */
export const USAGE_KEYS = ['tenant', 'key', 'model', 'version', 'route'] as const satisfies (keyof UsageKey)[];
/** What is counted, in the order of columns. */
export const USAGE_COUNTS = [
  'requests',
  'inputTokens',
  'cachedInputTokens',
  'outputTokens',
  'reasoningTokens',
  'cost',
] as const satisfies (keyof UsageCounts)[];

const DAY_MS = 86_400_000;
/** An hour, by which charges are kept (milliseconds). */
export const HOUR_MS = 3_600_000;
/** Charges are kept for so much longer than single entries: no period of a budget is longer (milliseconds). */
export const CHARGES_MS = 32 * DAY_MS;

/** Number of the day (of UTC, since 1970) that a moment falls into. */
export const dayOf = (at: number): number => Math.floor(at / DAY_MS);

/** `2026-11-30` → number of the day; undefined when it is no day. */
export function parseDay(text: string): number | undefined {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return Number.isNaN(at) || formatDay(at / DAY_MS) !== text ? undefined : at / DAY_MS;
}

/** Number of a day → `2026-11-30`. */
export const formatDay = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
