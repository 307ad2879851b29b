/** What a transaction comes to, given what is stored: the conflict, or the steps to take. The same for every driver. Pure. */
import type { ReadyPut, ReadyWrite } from './check.ts';
import type { StoreOptions } from './options.ts';
import { type Cell, type Row, readLookups } from './row.ts';
import type { Author, Conflict, Delete } from './store.ts';

/** A write that changes something. */
export interface Step {
  readonly write: ReadyPut | Delete;
  /** What the document was; undefined when it did not exist or had expired. */
  readonly before: Row | undefined;
}

/** A name of a document. */
export interface Name {
  readonly kind: string;
  readonly lookup: string;
  readonly id: string;
}

/** Steps to take in this order: let go of names, take names, write rows, write history. */
export interface Plan {
  readonly conflict: undefined;
  readonly steps: readonly Step[];
  /** Names that the documents had. Let go first: one transaction may move a name from one document to another. */
  readonly freed: readonly Name[];
  readonly taken: readonly Name[];
}

/** Where `rows` of `planWrites` has a document. */
export const rowKey = (kind: string, id: string): string => `${kind}\n${id}`;

/** True when a row is a document that exists now. */
export const isAlive = (row: Row | undefined, now: number): row is Row =>
  row !== undefined && row.value !== null && (row.expires_at === null || (row.expires_at as number) > now);

/** `rows`: what is stored of the documents that are written. `now`: wall clock. */
export function planWrites(
  writes: readonly ReadyWrite[],
  rows: ReadonlyMap<string, Row>,
  now: number,
): Plan | { conflict: Conflict } {
  const steps: Step[] = [];
  const freed: Name[] = [];
  const taken = new Map<string, Name>();
  for (const write of writes) {
    const { kind, id, expect } = write;
    const row = rows.get(rowKey(kind, id));
    const before = isAlive(row, now) ? row : undefined;
    const version = (before?.version as number) ?? 0;
    if (expect !== undefined && expect !== version)
      return { conflict: { reason: 'version', kind, id, version, lookup: '', holder: '' } };
    const stored = row !== undefined && row.value !== null;
    if (write.op === 'check' || (write.op === 'delete' && !stored)) continue;
    steps.push({ write, before });
    if (stored) for (const lookup of readLookups(row)) freed.push({ kind, lookup, id });
    if (write.op === 'delete') continue;
    for (const lookup of write.lookups ?? []) {
      const other = taken.get(rowKey(kind, lookup));
      if (other !== undefined) return { conflict: lookupConflict({ kind, lookup, id }, other.id, steps) };
      taken.set(rowKey(kind, lookup), { kind, lookup, id });
    }
  }
  return { conflict: undefined, steps, freed, taken: [...taken.values()] };
}

/** The conflict about a name that `holder` has. */
export function lookupConflict({ kind, id, lookup }: Name, holder: string, steps: readonly Step[]): Conflict {
  const before = steps.find(({ write }) => write.kind === kind && write.id === id)?.before;
  return { reason: 'lookup', kind, id, version: (before?.version as number) ?? 0, lookup, holder };
}

/** Cells of a document's row, in the order of its columns. A deletion leaves a row without a value. */
export function documentCells({ write }: Step, version: number, now: number): Cell[] {
  const { kind, id } = write;
  if (write.op === 'delete') return [kind, id, version, now, '', null, null, null];
  const { parent = '', lookups = [], expiresAt = null, json } = write;
  return [kind, id, version, now, parent, lookups.length === 0 ? null : JSON.stringify(lookups), expiresAt, json];
}

/** Cells of the history's row for a step, in the order of its columns without `sequence`; undefined when nobody could notice. */
export function historyCells(
  { write, before }: Step,
  author: Author,
  version: number,
  now: number,
  shown: StoreOptions['shown'] = (_, value) => value,
): Cell[] | undefined {
  if (write.op === 'delete' && before === undefined) return undefined;
  const show = (json: string | undefined) =>
    json === undefined ? null : (JSON.stringify(shown(write.kind, JSON.parse(json))) ?? null);
  return [
    version,
    now,
    author.who,
    author.what,
    write.kind,
    write.id,
    show(before?.value as string | undefined),
    show(write.op === 'put' ? write.json : undefined),
  ];
}
