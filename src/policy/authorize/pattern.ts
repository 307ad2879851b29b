/** Names with a `*` in them: what plans and routes say of models, tools and routes. */

/** A pattern as it is written: a name, in which each `*` stands for anything, also nothing. */
export const NAME_PATTERN = /^[^\s\p{Cc}]{1,256}$/u;

/** Whether `name` is what `pattern` says. Takes time by their lengths multiplied at most, whatever the pattern. */
export function matchesPattern(pattern: string, name: string): boolean {
  const first = pattern.indexOf('*');
  if (first < 0) return pattern === name;
  if (first === pattern.length - 1) return name.startsWith(pattern.slice(0, -1));
  const parts = pattern.split('*');
  const last = parts.length - 1;
  const [head = '', tail = ''] = [parts[0], parts[last]];
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
  const end = name.length - tail.length;
  // The earliest place of each part leaves the most room for what follows.
  let at = head.length;
  for (let i = 1; i < last; i++) {
    const part = parts[i] as string;
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** Names that one of several patterns allows. */
export class Patterns {
  /** What names begin with that a pattern with one `*`, at its end, allows. */
  readonly #prefixes: readonly string[];
  readonly #patterns: readonly string[];
  readonly #exact: ReadonlySet<string>;
  /** `*` is among them. */
  readonly all: boolean;

  constructor(patterns: readonly string[]) {
    this.#exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
    const isPrefix = (pattern: string) => pattern.indexOf('*') === pattern.length - 1;
    const wild = patterns.filter((pattern) => pattern.includes('*'));
    this.#prefixes = wild.filter(isPrefix).map((pattern) => pattern.slice(0, -1));
    this.#patterns = wild.filter((pattern) => !isPrefix(pattern));
    this.all = patterns.includes('*');
  }

  /** Whether this name is allowed. */
  allow(name: string): boolean {
    if (this.all || this.#exact.has(name)) return true;
    const prefixes = this.#prefixes;
    for (let i = 0; i < prefixes.length; i++) if (name.startsWith(prefixes[i] as string)) return true;
    const patterns = this.#patterns;
    for (let i = 0; i < patterns.length; i++) if (matchesPattern(patterns[i] as string, name)) return true;
    return false;
  }
}
