/** Rows as both databases give them: the same columns, JSON as text. Pure. */
import type { Change, Document, HistoryEntry } from './store.ts';

/** What a column may hold here. */
export type Cell = string | number | null;
/** A row by column name. */
export type Row = Record<string, Cell>;

/** Columns of a document. */
export const DOCUMENT_COLUMNS = 'kind, id, version, updated_at, parent, lookups, expires_at, value';
/** Columns of the history. */
export const HISTORY_COLUMNS = 'sequence, version, at, who, what, kind, id, before, after';

const NONE: readonly string[] = Object.freeze([]);

/** Names of a document's row. */
export const readLookups = (row: Row): readonly string[] =>
  row.lookups === null ? NONE : JSON.parse(row.lookups as string);

/** A row → the document; undefined when it was deleted. */
export function readDocument<T>(row: Row): Document<T> | undefined {
  if (row.value === null) return undefined;
  return {
    kind: row.kind as string,
    id: row.id as string,
    version: row.version as number,
    updatedAt: row.updated_at as number,
    parent: row.parent as string,
    lookups: readLookups(row),
    expiresAt: (row.expires_at as number | null) ?? undefined,
    value: JSON.parse(row.value as string) as T,
  };
}

/** A row → what the feed tells of it. */
export const readChange = (row: Row): Change => ({
  kind: row.kind as string,
  id: row.id as string,
  version: row.version as number,
  document: readDocument(row),
});

/** A row → an entry of the history. */
export function readHistoryEntry(row: Row): HistoryEntry {
  const value = (cell: Cell | undefined) => (typeof cell === 'string' ? JSON.parse(cell) : undefined);
  return {
    sequence: row.sequence as number,
    version: row.version as number,
    at: row.at as number,
    who: row.who as string,
    what: row.what as string,
    kind: row.kind as string,
    id: row.id as string,
    before: value(row.before),
    after: value(row.after),
  };
}
