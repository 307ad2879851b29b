/** What the commands that manage documents have in common: asking, conditions, tables, errors. */
import { readFileSync } from 'node:fs';
import { Command, type ErrorOptions } from 'commander';
import { parse } from 'yaml';
import { parseDuration } from '../kernel/limit.ts';
import { type AdminFlags, AdminRefusal, askAdmin, withAdmin } from './adminclient.ts';

/** Flags that all of them have. */
export interface DocumentFlags extends AdminFlags {
  json?: boolean;
}

/** A document as the API shows it. */
export type Shown = Record<string, unknown> & { id: string };

/** Exit codes of all of them. */
export const EXIT_CODES = `
Exit codes:
  0  done
  1  refused: everything is as before, and the reason is printed
  2  the admin port did not answer, or the arguments are wrong`;

/** Documents that are listed where nobody says how many. */
export const MOST_LISTED = 10_000;
/** Documents asked for at once. */
const PAGE = 500;

/** Standard output, one line. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);
/** Standard error: what is for people only. */
export const remark = (line: string): void => void process.stderr.write(`${line}\n`);

/** Ends with what `EXIT_CODES` says where the arguments are wrong. */
export class AskingCommand extends Command {
  override error(message: string, options?: ErrorOptions): never {
    return super.error(message, { ...options, exitCode: 2 });
  }
}

/** A command that asks the admin API. */
export function documentCommand(
  name: string,
  what: string,
  run: (flags: DocumentFlags & Record<string, unknown>, args: readonly string[]) => Promise<void>,
): Command {
  const command = withAdmin(new AskingCommand(name).description(what)).option('--json', 'print the answer as JSON');
  return command.action(async (...all: unknown[]) => {
    const args = all.slice(0, -2) as string[];
    try {
      await run(all.at(-2) as DocumentFlags & Record<string, unknown>, args);
    } catch (error) {
      remark(`${calledAs(command)}: ${(error as Error).message}`);
      process.exitCode = error instanceof AdminRefusal ? 1 : 2;
    }
  });
}

/** `gatehouse keys create`: as it is typed. */
function calledAs(command: Command): string {
  const words: string[] = [];
  for (let one: Command | null = command; one !== null; one = one.parent) words.unshift(one.name());
  return words.join(' ');
}

const pathOf = (resource: string, id: string): string => `/api/v1/${resource}/${encodeURIComponent(id)}`;

/** Makes a document. */
export async function create(flags: DocumentFlags, resource: string, order: unknown): Promise<Shown> {
  return (await askAdmin(flags, 'POST', `/api/v1/${resource}`, order)).value as Shown;
}

/** Reads a document. */
export async function show(flags: DocumentFlags, resource: string, id: string): Promise<Shown> {
  return (await askAdmin(flags, 'GET', pathOf(resource, id))).value as Shown;
}

/** Does something with a document as it stands now; `action` is a part of the path, such as `/rotate`. */
export async function write(
  flags: DocumentFlags,
  method: 'PATCH' | 'DELETE' | 'POST',
  resource: string,
  id: string,
  document?: unknown,
  action = '',
): Promise<Shown> {
  const path = pathOf(resource, id);
  const { etag } = await askAdmin(flags, 'GET', path);
  const condition = etag === undefined ? {} : { 'If-Match': etag };
  return (await askAdmin(flags, method, path + action, document, condition)).value as Shown;
}

/** How many are asked for; throws where that is no number of documents. */
export function countOf(text: unknown, usual: number): number {
  const count = text === undefined ? usual : Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`--limit ${text}: expected a whole number from 1 on`);
  return count;
}

/** Reads all documents, or the first `most`. */
export async function list(flags: DocumentFlags, resource: string, most: number, tenant?: string): Promise<Shown[]> {
  const items: Shown[] = [];
  let after: string | undefined;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(PAGE, most - items.length)) });
    if (tenant !== undefined) query.set('tenant', tenant);
    if (after !== undefined) query.set('after', after);
    const { value } = await askAdmin(flags, 'GET', `/api/v1/${resource}?${query}`);
    const page = value as { items: Shown[]; next?: string };
    items.push(...page.items);
    after = page.next;
  } while (after !== undefined && items.length < most);
  return items;
}

/** Prints rows in columns; a column that is empty throughout is left out. */
export function table(items: readonly Record<string, unknown>[], columns: readonly string[]): void {
  const kept = columns.filter((name) => items.some((item) => cell(item[name]) !== ''));
  const rows = [kept.map((name) => name.toUpperCase()), ...items.map((item) => kept.map((name) => cell(item[name])))];
  const widths = kept.map((_, i) => Math.max(...rows.map((row) => (row[i] as string).length)));
  for (const row of rows)
    print(
      row
        .map((text, i) => text.padEnd(widths[i] as number))
        .join('  ')
        .trimEnd(),
    );
}

/** Prints a document, one field to a line. */
export function facts(document: Record<string, unknown>): void {
  const told = Object.entries(document).filter(([, value]) => cell(value) !== '');
  const width = Math.max(...told.map(([name]) => name.length));
  for (const [name, value] of told) print(`${name.padEnd(width)}  ${cell(value)}`);
}

function cell(value: unknown): string {
  if (value === undefined || value === null || value === false) return '';
  if (Array.isArray(value))
    return value.every((one) => typeof one === 'string') ? value.join(' ') : JSON.stringify(value);
  if (typeof value === 'object') return Object.keys(value).length === 0 ? '' : JSON.stringify(value);
  // Control characters of a name could rewrite what is on the terminal.
  return String(value).replace(/\p{Cc}/gu, '�');
}

/** `90d` from now, or a time as it is; undefined stays. */
export function timeOf(text: unknown, option: string): string | undefined {
  if (text === undefined) return undefined;
  const days = /^(\d{1,5})d$/.exec(String(text))?.[1];
  const duration = days === undefined ? parseDuration(String(text)) : Number(days) * 86_400_000;
  if (duration !== undefined) return new Date(Date.now() + duration).toISOString();
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)(?![^T ])/i.exec(String(text)) ?? [];
  if (year === undefined || Number.isNaN(Date.parse(String(text))))
    throw new Error(`${option} ${text}: expected 90d, or 2027-01-31T00:00:00Z`);
  // What there is not would become a day of the next month.
  if (new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() !== Number(day))
    throw new Error(`${option} ${text}: there is no such day`);
  return new Date(String(text)).toISOString();
}

/** `NAME=VALUE` … → an object. Values are YAML where `typed`; a dot in a name goes deeper. */
export function assignments(list: unknown, option: string, typed: boolean): Record<string, unknown> | undefined {
  if (list === undefined) return undefined;
  const all: Record<string, unknown> = {};
  for (const one of list as string[]) {
    const at = one.indexOf('=');
    if (at < 1) throw new Error(`${option} ${one}: expected NAME=VALUE`);
    const path = typed ? one.slice(0, at).split('.') : [one.slice(0, at)];
    if (path.includes('__proto__')) throw new Error(`${option} ${one}: nothing can be called __proto__`);
    const value: unknown = typed ? parse(one.slice(at + 1)) : one.slice(at + 1);
    let inner = all;
    for (const name of path.slice(0, -1)) {
      if (!Object.hasOwn(inner, name)) inner[name] = {};
      inner = inner[name] as Record<string, unknown>;
    }
    inner[path.at(-1) as string] = value;
  }
  return all;
}

/** A document in a file, as YAML or JSON; `-` is standard input. */
export function documentIn(file: unknown): Record<string, unknown> {
  if (file === undefined) return {};
  const value: unknown = parse(readFileSync(file === '-' ? 0 : String(file), 'utf8'));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${file}: expected a mapping`);
  return value as Record<string, unknown>;
}
