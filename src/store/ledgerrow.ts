/** Entries and sums of the ledger as rows, alike in both databases. Pure. */
import {
  formatDay,
  type LedgerEntry,
  type Sum,
  type SumGroup,
  type SumQuery,
  USAGE_COUNTS,
  USAGE_KEYS,
  type UsageCounts,
} from './ledger.ts';
import type { Cell, Row } from './row.ts';

/** Columns of an entry. */
export const ENTRY_COLUMNS = ['id', 'at', ...USAGE_KEYS, ...USAGE_COUNTS, 'detail'] as const;

/** Cells of an entry's row, in the order of its columns. */
export function entryCells(entry: LedgerEntry): Cell[] {
  const cells: Cell[] = [entry.id, entry.at];
  for (const name of USAGE_KEYS) cells.push(entry[name]);
  for (const name of USAGE_COUNTS) cells.push(entry[name]);
  cells.push(entry.detail === undefined ? null : (JSON.stringify(entry.detail) ?? null));
  return cells;
}

/** Keys of budgets as they are stored: a key may hold what no text of a database can. */
export const chargeKey = (key: string): string => JSON.stringify(key);
/** The same backwards. */
export const chargedKey = (text: string): string => JSON.parse(text) as string;

/** What an entry was charged to: budget and key of each. */
export function chargesOf({ detail }: LedgerEntry): [string, string][] {
  const charged = (detail as { charged?: unknown } | undefined | null)?.charged;
  if (typeof charged !== 'object' || charged === null) return [];
  return Object.entries(charged).filter((one): one is [string, string] => typeof one[1] === 'string');
}

function readCounts(row: Row): UsageCounts {
  return {
    requests: row.requests as number,
    inputTokens: row.inputTokens as number,
    cachedInputTokens: row.cachedInputTokens as number,
    outputTokens: row.outputTokens as number,
    reasoningTokens: row.reasoningTokens as number,
    cost: row.cost as number,
  };
}

/** A row → the entry. */
export function readEntry(row: Row): LedgerEntry {
  return {
    id: row.id as string,
    at: row.at as number,
    tenant: row.tenant as string,
    key: row.key as string,
    model: row.model as string,
    version: row.version as string,
    route: row.route as string,
    ...readCounts(row),
    ...(row.detail === null ? {} : { detail: JSON.parse(row.detail as string) }),
  };
}

/** The groups of a query, each once; what is no group is left out, so that they can stand in SQL. */
export const sumGroups = (query: SumQuery): SumGroup[] =>
  [...new Set(query.by)].filter((name) => name === 'day' || USAGE_KEYS.includes(name));

/** A row of sums → the sum. */
export function readSum(row: Row, groups: readonly SumGroup[]): Sum {
  const group: Partial<Record<SumGroup, string>> = {};
  for (const name of groups) group[name] = name === 'day' ? formatDay(row.day as number) : (row[name] as string);
  return { group, ...readCounts(row) };
}
