/** Files' bytes → a checked configuration, or everything that is wrong with it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Fragment } from './fragments.ts';
import { checkFragments, type Loaded, type NotLoaded } from './load.ts';
import { reasonOf } from './reference.ts';

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

/** What a file of a folder must be called to count as a part of the configuration. */
const FRAGMENT = /^[^.].*\.(ya?ml|json)$/;

/**
 * Reads, checks and completes a configuration: a file, or a folder of them. Never throws: what is wrong is in
 * `problems`.
 */
export function loadConfig(path: string, options: LoadOptions = {}): Loaded | NotLoaded {
  const readFile = options.readFile ?? readFileSync;
  const whole = resolve(options.cwd ?? process.cwd(), path);
  const sources = new Set([whole]);
  const wrong = (file: string, message: string): NotLoaded => refuse(file, message, sources);
  let names: string[] | undefined;
  try {
    names = options.readFile ? undefined : fragmentsOf(whole);
  } catch (error) {
    return wrong(path, `cannot be read: ${reasonOf(error)}`);
  }
  if (names?.length === 0) return wrong(path, 'this folder has no .yaml, .yml or .json file');
  const texts = new Map<string, Uint8Array>();
  for (const name of names ?? ['']) {
    const file = name === '' ? whole : join(whole, name);
    sources.add(file);
    try {
      texts.set(name === '' ? path : join(path, name), readFile(file));
    } catch (error) {
      return wrong(name === '' ? path : join(path, name), `cannot be read: ${reasonOf(error)}`);
    }
  }
  const folder = names === undefined ? dirname(whole) : whole;
  return loadTexts(texts, { ...options, cwd: folder }, sources);
}

/** As `loadConfig`, from the contents of files that come from elsewhere. `options.cwd`: where relative paths start. */
export function loadTexts(
  texts: ReadonlyMap<string, Uint8Array>,
  options: LoadOptions,
  sources = new Set<string>(),
): Loaded | NotLoaded {
  const fragments: Fragment[] = [];
  for (const [file, bytes] of texts) {
    if (bytes.length > MAX_BYTES) {
      return refuse(file, `has ${bytes.length} bytes; a configuration has at most ${MAX_BYTES}`, sources);
    }
    const text = decode(bytes);
    if (typeof text !== 'string') return refuse(file, text.message, sources, text.line, text.column);
    fragments.push({ file, text });
  }
  const { env = process.env, readFile = readFileSync, cwd = process.cwd() } = options;
  try {
    return checkFragments(fragments, { env, readFile, folder: cwd, sources }, options.now ?? Date.now());
  } catch (error) {
    const file = fragments[0]?.file ?? '';
    return refuse(file, `cannot be checked: ${reasonOf(error)}; please report this with the file`, sources);
  }
}

/** The files of a folder in the order of their names; undefined when it is no folder. Throws as `node:fs` does. */
function fragmentsOf(path: string): string[] | undefined {
  if (!statSync(path).isDirectory()) return undefined;
  return readdirSync(path)
    .filter((name) => FRAGMENT.test(name))
    .sort();
}

function refuse(file: string, message: string, sources: Set<string>, line = 1, column = 1): NotLoaded {
  const problems = [{ file, line, column, path: '', message }];
  return { ok: false, problems, warnings: [], sources: [...sources] };
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
