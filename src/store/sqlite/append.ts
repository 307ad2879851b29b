/**
 * Appends entries to the ledger of SQLite: many rows by one statement, for calling one costs as much as what it does, and sums by
 * day and charges added up before.
 */
import { dayOf, HOUR_MS, type LedgerEntry, USAGE_COUNTS, USAGE_KEYS } from '../ledger.ts';
import { chargeKey, chargesOf, ENTRY_COLUMNS, entryCells } from '../ledgerrow.ts';
import type { Cell } from '../row.ts';
import type { Database } from './database.ts';

/** Rows of one statement; what is left over goes one by one. */
const ROWS = 50;

/** SQL for one row, and for `ROWS` of them. */
type Insert = readonly [one: string, many: string];

function insert(table: string, columns: readonly string[], conflict: string): Insert {
  const row = `(${columns.map(() => '?').join(', ')})`;
  const sql = (rows: number) =>
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${Array(rows).fill(row).join(', ')} ON CONFLICT DO ${conflict}`;
  return [sql(1), sql(ROWS)];
}

const ENTRIES = insert('entries', ENTRY_COLUMNS, 'NOTHING');
const DAYS = insert(
  'days',
  ['day', ...USAGE_KEYS, ...USAGE_COUNTS],
  `UPDATE SET ${USAGE_COUNTS.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`,
);
const CHARGES = insert('charges', ['budget', 'key', 'hour', 'cost'], 'UPDATE SET cost = cost + excluded.cost');

/** Appends entries within a transaction of the caller's; returns how many were not there. */
export function append(database: Database, entries: readonly LedgerEntry[]): number {
  const rows = entries.map(entryCells);
  // Nearly always all of them are new. Where they are not, which of them are can only be told one by one.
  database.exec('SAVEPOINT append');
  let fresh = entries;
  if (insertRows(database, ENTRIES, rows) < rows.length) {
    database.exec('ROLLBACK TO append');
    fresh = entries.filter((_, at) => database.prepare(ENTRIES[0]).run(...(rows[at] as Cell[])) > 0);
  }
  database.exec('RELEASE append');
  addSums(database, fresh);
  return fresh.length;
}

/** Inserts rows; returns how many the database has taken. */
function insertRows(database: Database, [one, many]: Insert, rows: readonly Cell[][]): number {
  let taken = 0;
  let at = 0;
  for (; at + ROWS <= rows.length; at += ROWS) {
    const cells: Cell[] = [];
    for (let k = at; k < at + ROWS; k++) for (const cell of rows[k] as Cell[]) cells.push(cell);
    taken += database.prepare(many).run(...cells);
  }
  for (; at < rows.length; at++) taken += database.prepare(one).run(...(rows[at] as Cell[]));
  return taken;
}

function addSums(database: Database, entries: readonly LedgerEntry[]): void {
  const days = new Sums();
  const charges = new Sums();
  for (const entry of entries) {
    const cells: Cell[] = [dayOf(entry.at)];
    for (const name of USAGE_KEYS) cells.push(entry[name]);
    days.add(
      cells,
      USAGE_COUNTS.map((name) => entry[name]),
    );
    for (const [budget, key] of chargesOf(entry))
      charges.add([budget, chargeKey(key), Math.floor(entry.at / HOUR_MS)], [entry.cost]);
  }
  insertRows(database, DAYS, days.rows);
  insertRows(database, CHARGES, charges.rows);
}

/** Rows of a key and counts, one for each key. */
class Sums {
  readonly rows: Cell[][] = [];
  readonly #byKey = new Map<string, Cell[]>();

  add(key: readonly Cell[], counts: readonly number[]): void {
    // No name has a control character.
    const name = key.join('\0');
    const row = this.#byKey.get(name);
    // What numbers cannot hold exactly the database adds up.
    if (
      row === undefined ||
      !counts.every((count, at) => Number.isSafeInteger((row[key.length + at] as number) + count))
    ) {
      const made = [...key, ...counts];
      this.rows.push(made);
      this.#byKey.set(name, made);
      return;
    }
    for (let at = 0; at < counts.length; at++) {
      const cell = key.length + at;
      row[cell] = (row[cell] as number) + (counts[at] as number);
    }
  }
}
