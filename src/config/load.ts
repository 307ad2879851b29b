/** One file → a checked configuration, or everything that is wrong with it. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LineCounter } from 'yaml';
import type { z } from 'zod';
import { type Config, configSchema } from './config.ts';
import { crosscheck } from './crosscheck.ts';
import { parseTree } from './document.ts';
import { got } from './expect.ts';
import { reportIssues } from './issues.ts';
import { partsOf, partsOfWrong } from './parts.ts';
import { loadPem } from './pem.ts';
import { type Path, type Place, type Problem, placeOf, Report } from './problem.ts';
import { expand, reasonOf, type Surroundings } from './reference.ts';
import { checkRoutes } from './routecheck.ts';

/** Where a file's surroundings come from; the machine's own when left out. */
export interface LoadOptions {
  env?: Readonly<Record<string, string | undefined>>;
  /** Reads a whole file; throws as `node:fs` does. */
  readFile?: (path: string) => Uint8Array;
  /** Folder that a relative `path` starts from. */
  cwd?: string;
  /** Wall-clock time in milliseconds since 1970, for the dates of certificates. */
  now?: number;
}

/** A right file. */
export interface Loaded {
  ok: true;
  config: Config;
  /** Text of every PEM file, by the name that its setting holds. With `config` it is all that a worker needs. */
  files: Record<string, string>;
  /** The configuration file as it was read, references unreplaced. */
  text: string;
  /** Absolute paths of all files that were read: when one changes, the configuration may have changed. */
  sources: string[];
  warnings: Problem[];
}

/** A wrong file. */
export interface NotLoaded {
  ok: false;
  /** By line; never empty. */
  problems: Problem[];
  warnings: Problem[];
  sources: string[];
}

/** Far above any configuration (10,000 routes take 1 MB), far below what would hurt. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Reads, checks and completes a configuration. Never throws: what is wrong is in `problems`. */
export function loadConfig(path: string, options: LoadOptions = {}): Loaded | NotLoaded {
  const readFile = options.readFile ?? readFileSync;
  const whole = resolve(options.cwd ?? process.cwd(), path);
  const sources = new Set([whole]);
  const wrong = (message: string, line = 1, column = 1): NotLoaded => ({
    ok: false,
    problems: [{ file: path, line, column, path: '', message }],
    warnings: [],
    sources: [...sources],
  });
  let bytes: Uint8Array;
  try {
    bytes = readFile(whole);
  } catch (error) {
    return wrong(`cannot be read: ${reasonOf(error)}`);
  }
  if (bytes.length > MAX_BYTES) return wrong(`has ${bytes.length} bytes; a configuration has at most ${MAX_BYTES}`);
  const text = decode(bytes);
  if (typeof text !== 'string') return wrong(text.message, text.line, text.column);
  const around = { env: options.env ?? process.env, readFile, folder: dirname(whole), sources };
  try {
    return check(path, text, around, options.now ?? Date.now());
  } catch (error) {
    return wrong(`cannot be checked: ${reasonOf(error)}; please report this with the file`);
  }
}

function decode(bytes: Uint8Array): string | { message: string; line: number; column: number } {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return { message: 'the file is UTF-16; save it as UTF-8', line: 1, column: 1 };
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const lines = new TextDecoder().decode(bytes).split('\n');
    const line = Math.max(
      0,
      lines.findIndex((one) => one.includes('\ufffd')),
    );
    const column = Math.max(0, lines[line]?.indexOf('\ufffd') ?? 0) + 1;
    return { message: 'a byte here is not UTF-8; save the file as UTF-8', line: line + 1, column };
  }
}

function check(file: string, text: string, around: Surroundings, now: number): Loaded | NotLoaded {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  const report = new Report(file, (offset) => lines.linePos(Math.min(offset, text.length)));
  const tree = parseTree(text, report, (value) => expand(value, around));
  const end = (): NotLoaded => ({
    ok: false,
    problems: report.problems,
    warnings: report.warnings,
    sources: [...around.sources],
  });
  if (tree === undefined) {
    if (!report.failed) report.atOffset(0, [], EMPTY);
    return end();
  }
  report.root = tree.place;
  if (typeof tree.value !== 'object' || tree.value === null || Array.isArray(tree.value)) {
    const empty = tree.value === undefined || tree.value === null;
    report.atOffset(tree.place.value, [], empty ? EMPTY : `expected a mapping, ${got(tree.value)}; ${NEEDED}`);
    return end();
  }
  let parsed = configSchema.safeParse(tree.value);
  if (!parsed.success && retype(parsed.error.issues, [], tree.value, tree.place))
    parsed = configSchema.safeParse(tree.value);
  if (!parsed.success) reportIssues(parsed.error.issues, tree.value, report);
  const parts = parsed.success ? partsOf(parsed.data) : partsOfWrong(tree.value);
  crosscheck(parts, report);
  checkRoutes(parts, report);
  const files = loadPem(parts, around, now, report);
  if (report.failed || !parsed.success) return end();
  return { ok: true, config: parsed.data, files, text, sources: [...around.sources], warnings: report.warnings };
}

const NEEDED = 'it needs at least "listeners" and "routes": see examples/minimal.yaml';
const EMPTY = `the file is empty; ${NEEDED}`;

/**
 * `workers: ${WORKERS}` gives a string where a number is wanted. Where the schema asks for a number or a boolean and a
 * reference gave a text that is one, the text is turned into it. Tells whether anything was.
 */
function retype(issues: readonly z.core.$ZodIssue[], base: Path, value: object, root: Place): boolean {
  let changed = false;
  for (const issue of issues) {
    const path = [...base, ...(issue.path as (string | number)[])];
    if (issue.code === 'invalid_union') {
      for (const branch of issue.errors) changed = retype(branch, path, value, root) || changed;
    }
    if (issue.code !== 'invalid_type' || !/^(number|int|boolean)$/.test(issue.expected)) continue;
    const last = path.at(-1);
    if (last === undefined || placeOf(root, path).place?.origin === undefined) continue;
    const holder = path
      .slice(0, -1)
      .reduce<unknown>((here, step) => (here as Record<string | number, unknown>)?.[step], value) as Record<
      string | number,
      unknown
    >;
    const text = holder?.[last];
    if (typeof text !== 'string') continue;
    if (issue.expected === 'boolean' ? text === 'true' || text === 'false' : /^-?\d+(\.\d+)?$/.test(text)) {
      holder[last] = issue.expected === 'boolean' ? text === 'true' : Number(text);
      changed = true;
    }
  }
  return changed;
}
