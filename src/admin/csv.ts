/** Tables as CSV (RFC 4180), safe to open in a spreadsheet. */
import type { Answer } from './answer.ts';

/** A cell. What a spreadsheet would take for a formula gets an apostrophe in front. */
function cell(value: unknown): string {
  const text = value === undefined || value === null ? '' : String(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows under these columns, with a first line that names them. */
export function csv(columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): Answer {
  const lines = [columns.join(','), ...rows.map((row) => columns.map((name) => cell(row[name])).join(','))];
  return { status: 200, fields: { 'Content-Type': 'text/csv; charset=utf-8' }, body: `${lines.join('\r\n')}\r\n` };
}
