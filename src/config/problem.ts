/** A mistake (or a warning) of a configuration file, with its place. */

/** Keys and list indexes that lead from the root of the file to a value. */
export type Path = readonly (string | number)[];

/** One mistake. */
export interface Problem {
  /** File name as it was given. */
  file: string;
  /** From 1. */
  line: number;
  /** From 1, in UTF-16 code units. */
  column: number;
  /** `upstreams.a.endpoints[0].url`; empty for the file as a whole. */
  path: string;
  /** What is wrong, and what to write instead. */
  message: string;
}

/** A value's place in the text: a tree beside the tree of values. */
export interface Place {
  /** Offset of the key that names the value; of the value itself in a list. */
  key: number;
  /** Offset of the value. */
  value: number;
  /** Where the value comes from when it is not in the file, such as `${TOKEN}`; such a value is never printed. */
  origin?: string;
  /** The value is unknown because its reference failed, which has been reported: nothing more is said about it. */
  failed?: boolean;
  children?: Map<string | number, Place>;
}

/** `file:line:column: path: message`, one line. */
export function formatProblem(problem: Problem): string {
  const path = problem.path === '' ? '' : `${problem.path}: `;
  return `${problem.file}:${problem.line}:${problem.column}: ${path}${problem.message}`;
}

/** `['a', 'b c', 0]` → `a["b c"][0]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[A-Za-z0-9_-]+$/.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** Finds the place of a path, or of the deepest part of it that is in the file. */
export function placeOf(root: Place | undefined, path: Path): { place: Place | undefined; found: boolean } {
  let place = root;
  for (const step of path) {
    const next = place?.children?.get(step);
    if (next === undefined) return { place, found: false };
    place = next;
  }
  return { place, found: true };
}

type Position = (offset: number) => { line: number; col: number; file?: string };

/** Collects the problems and warnings of one file, in any order; hands them out by line. */
export class Report {
  readonly file: string;
  /** The tree of places; set when the file could be read as YAML. */
  root: Place | undefined;
  readonly #position: Position;
  readonly #problems: Problem[] = [];
  readonly #warnings: Problem[] = [];
  readonly #seen = new Set<string>();

  /** `position`: from an offset to line and column, both from 1, and to the file when there are several. */
  constructor(file: string, position: Position) {
    this.file = file;
    this.#position = position;
  }

  /** A mistake at an offset of the text. */
  atOffset(offset: number, path: Path, message: string): void {
    this.#add(this.#problems, offset, path, message);
  }

  /** A mistake of the value at `path`; `on: 'key'` points at its key instead. */
  at(path: Path, message: string, on: 'value' | 'key' = 'value'): void {
    this.#locate(this.#problems, path, message, on);
  }

  /** Something that works but is hardly meant. */
  warn(path: Path, message: string, on: 'value' | 'key' = 'value'): void {
    this.#locate(this.#warnings, path, message, on);
  }

  /** `line N` of an offset, to speak of another place. */
  lineOf(offset: number): string {
    return `line ${this.#position(offset).line}`;
  }

  /** `file:line` of an offset, to speak of another place that may be in another file. */
  whereIs(offset: number): string {
    const { file, line } = this.#position(offset);
    return `${file ?? this.file}:${line}`;
  }

  get failed(): boolean {
    return this.#problems.length > 0;
  }

  get problems(): Problem[] {
    return sorted(this.#problems);
  }

  get warnings(): Problem[] {
    return sorted(this.#warnings);
  }

  #locate(list: Problem[], path: Path, message: string, on: 'value' | 'key'): void {
    const { place, found } = placeOf(this.root, path);
    if (place?.failed) return;
    this.#add(list, place === undefined ? 0 : on === 'key' || !found ? place.key : place.value, path, message);
  }

  #add(list: Problem[], offset: number, path: Path, message: string): void {
    const { line, col, file = this.file } = this.#position(offset);
    const problem = { file, line, column: col, path: formatPath(path), message: oneLine(message) };
    const text = formatProblem(problem);
    if (this.#seen.has(text)) return;
    this.#seen.add(text);
    list.push(problem);
  }
}

/** A message may quote what a file holds; control characters in it must not reach a terminal. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is searched for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}

/** By file, line and column. */
export function sorted(list: readonly Problem[]): Problem[] {
  return [...list].sort(
    (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column,
  );
}
