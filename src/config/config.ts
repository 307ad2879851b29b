/** The room's door: one file → a checked configuration, or everything that is wrong with it. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { checkText, type Loaded, type NotLoaded } from './load.ts';
import { reasonOf } from './reference.ts';

export { describeChange } from './diff.ts';
export type { Config } from './file.ts';
export type { Loaded, NotLoaded } from './load.ts';
export { formatProblem, type Problem } from './problem.ts';
export { publishedSchema } from './schema.ts';

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
    return checkText(path, text, around, options.now ?? Date.now());
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
