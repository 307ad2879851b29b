/** What may be written: checked before a store is touched, alike for every driver. Pure. */
import { StoreError } from './error.ts';
import { type LedgerEntry, parseDay, type SumQuery, USAGE_COUNTS, USAGE_KEYS } from './ledger.ts';
import { type Author, type Put, VALUE_BYTES_MAX, WRITES_MAX, type Write } from './store.ts';

const KIND = /^[a-z][a-zA-Z0-9]{0,63}$/;
/** Control characters, which some databases cannot hold, and halves of surrogate pairs, which UTF-8 cannot. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these
const UNFIT = /[\u0000-\u001f\u007f\p{Cs}]/u;
/** Longest name, in UTF-16 units. */
export const NAME_MAX = 512;

const refuse = (message: string): never => {
  throw new StoreError('invalid', message);
};

const isName = (text: unknown, least: number): boolean =>
  typeof text === 'string' && text.length >= least && text.length <= NAME_MAX && !UNFIT.test(text);

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A put, ready for the database: with its value as JSON text. */
export interface ReadyPut extends Put {
  readonly json: string;
}
/** A write, ready for the database. */
export type ReadyWrite = ReadyPut | Exclude<Write, Put>;

/** Checks a transaction. Throws a `StoreError` `invalid` that says which write is wrong. */
export function checkWrites(writes: readonly Write[], author?: Author): readonly ReadyWrite[] {
  checkTexts(author?.who, author?.what);
  if (writes.length > WRITES_MAX)
    refuse(`A transaction of ${writes.length} writes: at most ${WRITES_MAX} are possible; split it.`);
  const seen = new Set<string>();
  return writes.map((write) => {
    checkName(write.kind, write.id);
    const where = `${write.kind} ${write.id}`;
    if (seen.has(where)) refuse(`${where} appears twice in one transaction: put its last state only.`);
    seen.add(where);
    if (write.expect !== undefined && !isWhole(write.expect))
      refuse(`${where}: expect ${write.expect} is no version; use the one that was read, or 0.`);
    return write.op === 'put' ? readyPut(write, where) : write;
  });
}

function readyPut(put: Put, where: string): ReadyPut {
  const { parent = '', lookups = [], expiresAt } = put;
  if (!isName(parent, 0)) refuse(`${where}: a parent is at most ${NAME_MAX} characters without control characters.`);
  for (const lookup of lookups)
    if (!isName(lookup, 1)) refuse(`${where}: a lookup is 1 to ${NAME_MAX} characters without control characters.`);
  if (new Set(lookups).size !== lookups.length) refuse(`${where}: the same lookup is given twice.`);
  if (expiresAt !== undefined && !isWhole(expiresAt)) refuse(`${where}: expiresAt is no time in milliseconds.`);
  let json: string | undefined;
  try {
    json = JSON.stringify(put.value);
  } catch (error) {
    refuse(`${where}: the value is not JSON: ${(error as Error).message}`);
  }
  if (json === undefined) return refuse(`${where}: there is no value; delete the document instead.`);
  if (json.length > VALUE_BYTES_MAX || Buffer.byteLength(json) > VALUE_BYTES_MAX)
    refuse(`${where}: the value is larger than ${VALUE_BYTES_MAX} bytes; keep it elsewhere and refer to it.`);
  return { ...put, json };
}

/** Checks kind and id of a document. */
export function checkName(kind: string, id: string): void {
  if (!KIND.test(kind)) refuse(`"${kind}" is no kind of document: letters and digits, the first one small.`);
  if (!isName(id, 1)) refuse(`${kind}: an id is 1 to ${NAME_MAX} characters without control characters.`);
}

/** Checks what is only compared with what is stored: a name that no document can have is refused rather than sent on. */
export function checkTexts(...texts: readonly (string | undefined)[]): void {
  for (const text of texts)
    if (text !== undefined && !isName(text, 0))
      refuse(`"${text.slice(0, 40)}" is no name: at most ${NAME_MAX} characters, without control characters.`);
}

/** Checks a limit of a page: `fallback` when there is none, never more than `most`. */
export function checkLimit(limit: number | undefined, fallback: number, most = 100_000): number {
  if (limit === undefined) return fallback;
  if (!isWhole(limit) || limit === 0) refuse(`A limit of ${limit}: use a whole number from 1.`);
  return Math.min(limit, most);
}

/** Checks ledger entries. Throws a `StoreError` `invalid` that says which one is wrong. */
export function checkEntries(entries: readonly LedgerEntry[]): void {
  if (entries.length > WRITES_MAX) refuse(`${entries.length} ledger entries at once: at most ${WRITES_MAX}.`);
  for (const entry of entries) {
    if (!isName(entry.id, 1)) refuse('A ledger entry without a proper id.');
    if (!isWhole(entry.at)) refuse(`Ledger entry ${entry.id}: at is no time in milliseconds.`);
    for (const key of USAGE_KEYS) if (!isName(entry[key], 0)) refuse(`Ledger entry ${entry.id}: ${key} is no name.`);
    for (const count of USAGE_COUNTS)
      if (!isWhole(entry[count])) refuse(`Ledger entry ${entry.id}: ${count} is no whole number from 0.`);
    try {
      JSON.stringify(entry.detail);
    } catch (error) {
      refuse(`Ledger entry ${entry.id}: detail is not JSON: ${(error as Error).message}`);
    }
  }
}

/** Checks the days of a query and gives their numbers. */
export function checkDays(query: SumQuery): { from: number; to: number } {
  const day = (text: string | undefined, open: number): number =>
    text === undefined ? open : (parseDay(text) ?? refuse(`"${text}" is no day: write it as 2026-11-30.`));
  checkTexts(...Object.values(query.where ?? {}));
  return { from: day(query.from, 0), to: day(query.to, 2_147_483_647) };
}
