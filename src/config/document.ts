/** Text → plain value with a place for each part. YAML 1.2 by the `yaml` package, under bounds of our own. */
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  type ParsedNode,
  Parser,
} from 'yaml';
import type { Path, Place, Report } from './problem.ts';
import type { Expansion } from './reference.ts';

/** Collections in collections; people need about eight. Deeper input could overflow the parser's stack. */
const MAX_DEPTH = 64;
/** Values that aliases may stand for in all: bounds "billion laughs" (an alias of aliases of aliases …). */
const MAX_ALIASED = 100_000;

/**
 * Parses `text`; every mistake goes to `report`. Returns the value (undefined for an empty file) with its places, or
 * nothing when the text is no YAML and what it holds cannot be trusted.
 */
export function parseTree(
  text: string,
  report: Report,
  expand: (text: string) => Expansion,
): { value: unknown; place: Place } | undefined {
  const tokens = tokenize(text, report);
  if (tokens === undefined) return undefined;
  const composer = new Composer<ParsedNode>({ prettyErrors: false, uniqueKeys: false, resolveKnownTags: false });
  const documents: Document.Parsed[] = [...(composer.compose(tokens, true, text.length) as Iterable<Document.Parsed>)];
  const document = documents[0];
  if (document === undefined) return undefined;
  // One slip often gives several errors on its line; the first says most.
  const told = new Set<string>();
  for (const { errors, warnings } of documents) {
    for (const error of errors) {
      const line = report.lineOf(error.pos[0]);
      if (!told.has(line))
        report.atOffset(error.pos[0], [], syntaxMessage(error.code, error.message, text, error.pos[0]));
      told.add(line);
    }
    for (const warning of warnings) {
      const tag = warning.code === 'TAG_RESOLVE_FAILED';
      report.atOffset(warning.pos[0], [], tag ? 'tags such as !name are not used here; leave it out' : warning.message);
    }
  }
  if (documents.length > 1) {
    report.atOffset(
      documents[1]?.range[0] ?? 0,
      [],
      'a second document starts here; one file holds one configuration: take the "---" out',
    );
  }
  if (report.failed) return undefined;
  return new Walker(report, expand).root(document.contents);
}

/** Lexes and groups the text without recursion, so that depth can be checked before anything recurses. */
function tokenize(text: string, report: Report): CST.Token[] | undefined {
  const tokens: CST.Token[] = [];
  const parser = new Parser();
  let flow = 0;
  let indicators = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === '[' || lexeme === '{') flow++;
    else if (lexeme === ']' || lexeme === '}') flow--;
    else if (lexeme === '-' || lexeme === '?') indicators++;
    else if (lexeme === '\n' || lexeme === '\r\n') indicators = 0;
    if (flow > MAX_DEPTH || indicators > MAX_DEPTH) return tooDeep(offset, report);
    // A document mark and a mark for scalars are lexemes of the lexer's own that stand for no text.
    if (lexeme !== '\u0002' && lexeme !== '\u001f') offset += lexeme.length;
    for (const token of parser.next(lexeme)) tokens.push(token);
  }
  for (const token of parser.end()) tokens.push(token);
  for (let level: unknown[] = tokens, depth = 0; level.length > 0; depth++) {
    const next: unknown[] = [];
    for (const token of level as CST.Token[]) {
      if (depth > 2 * MAX_DEPTH + 2) return tooDeep('offset' in token ? token.offset : 0, report);
      if ('value' in token && typeof token.value === 'object' && token.value) next.push(token.value);
      if (!('items' in token)) continue;
      for (const item of token.items) {
        if (item.key) next.push(item.key);
        if (item.value) next.push(item.value);
      }
    }
    level = next;
  }
  return tokens;
}

function tooDeep(offset: number, report: Report): undefined {
  report.atOffset(
    offset,
    [],
    `more than ${MAX_DEPTH} collections inside each other; a configuration needs about eight`,
  );
  return undefined;
}

function syntaxMessage(code: string, message: string, text: string, offset: number): string {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const lineEnd = text.indexOf('\n', offset);
  const line = text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd);
  if (code === 'TAB_AS_INDENT') return 'a tab is used as indentation; YAML wants spaces';
  if (code === 'MULTIPLE_DOCS')
    return 'a second document starts here; one file holds one configuration: take the "---" out';
  if (code === 'BLOCK_AS_IMPLICIT_KEY')
    return 'a mapping starts on the line of another key; indent it on a line of its own, or put a value with ": " in quotes';
  if (/[{[,].*[^"'$]\$\{/.test(line))
    return `not valid YAML: ${lowerFirst(message)}; inside { } and [ ] a \${NAME} needs quotes: "\${NAME}"`;
  if (code === 'BAD_SCALAR_START') return `${lowerFirst(message)}; put the value in quotes`;
  return `not valid YAML: ${lowerFirst(message)}`;
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

/** Walks the parsed nodes once: resolves aliases and merge keys, finds repeated keys, replaces references. */
class Walker {
  readonly #report: Report;
  readonly #expand: (text: string) => Expansion;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  #aliasDepth = 0;
  #aliased = 0;
  #tooMany = false;

  constructor(report: Report, expand: (text: string) => Expansion) {
    this.#report = report;
    this.#expand = expand;
  }

  root(node: Node | null): { value: unknown; place: Place } {
    const place: Place = { key: startOf(node, 0), value: startOf(node, 0) };
    const value = node === null ? undefined : this.#value(node, place, []);
    return { value, place };
  }

  #value(node: Node | null, place: Place, path: Path): unknown {
    if (node === null) return null;
    if (isAlias(node)) return this.#alias(node.source, place, path);
    if (this.#aliasDepth > 0 && ++this.#aliased > MAX_ALIASED) {
      if (!this.#tooMany)
        this.#report.atOffset(
          place.value,
          path,
          `aliases stand for more than ${MAX_ALIASED} values in all; write it with fewer`,
        );
      this.#tooMany = true;
      place.failed = true;
      return null;
    }
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor) this.#anchors.set(anchor, node);
    if (isScalar(node)) return this.#scalar(node.value, place, path);
    this.#open.add(node);
    place.children = new Map();
    const value = isMap(node)
      ? this.#map(node.items as MapItem[], place, path)
      : isSeq(node)
        ? this.#list(node.items as Node[], place, path)
        : null;
    this.#open.delete(node);
    return value;
  }

  #alias(name: string, place: Place, path: Path): unknown {
    const target = this.#anchors.get(name);
    const wrong =
      target === undefined
        ? `no anchor "&${name}" stands before the alias "*${name}"`
        : this.#open.has(target)
          ? `the alias "*${name}" stands inside what it names`
          : '';
    if (target === undefined || wrong !== '') {
      this.#report.atOffset(place.value, path, wrong);
      place.failed = true;
      return null;
    }
    this.#aliasDepth++;
    place.value = startOf(target, place.value);
    const value = this.#value(target, place, path);
    this.#aliasDepth--;
    return value;
  }

  #scalar(value: unknown, place: Place, path: Path): unknown {
    if (typeof value !== 'string') return value;
    const expanded = this.#expand(value);
    for (const message of expanded.errors) this.#report.atOffset(place.value, path, message);
    if (expanded.errors.length > 0) place.failed = true;
    if (expanded.origin !== undefined) place.origin = expanded.origin;
    return expanded.value;
  }

  #list(items: Node[], place: Place, path: Path): unknown[] {
    return items.map((item, i) => {
      const start = startOf(item, place.value);
      const child: Place = { key: start, value: start };
      place.children?.set(i, child);
      return this.#value(item, child, [...path, i]);
    });
  }

  #map(items: MapItem[], place: Place, path: Path): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    const merged: Record<string, unknown>[] = [];
    const mergedPlaces: Place[] = [];
    for (const item of items) {
      const start = startOf(item.key, place.value);
      const key = isScalar(item.key)
        ? typeof item.key.value === 'string'
          ? item.key.value
          : String(item.key.source ?? '')
        : undefined;
      const child: Place = { key: start, value: startOf(item.value, start) };
      if (key === undefined || key === '__proto__') {
        this.#report.atOffset(start, path, 'this cannot be a key; a key is a plain word');
      } else if (key === '<<' && isScalar(item.key) && item.key.type === 'PLAIN') {
        this.#merge(this.#value(item.value, child, path), child, path, merged, mergedPlaces);
      } else if (Object.hasOwn(map, key)) {
        const first = place.children?.get(key);
        this.#report.atOffset(
          start,
          [...path, key],
          `key "${key}" stands twice here (first ${this.#report.lineOf(first?.key ?? start)}); keep one`,
        );
      } else {
        place.children?.set(key, child);
        map[key] = this.#value(item.value, child, [...path, key]);
      }
    }
    merged.forEach((source, i) => {
      for (const key of Object.keys(source)) {
        if (Object.hasOwn(map, key)) continue;
        map[key] = source[key];
        const from = mergedPlaces[i]?.children?.get(key);
        if (from) place.children?.set(key, from);
      }
    });
    return map;
  }

  /** `<<: *one` or `<<: [*one, *two]`: keys that the mapping itself has not. */
  #merge(value: unknown, from: Place, path: Path, merged: Record<string, unknown>[], places: Place[]): void {
    const list = Array.isArray(value) ? value : [value];
    list.forEach((item: unknown, i) => {
      const place = (Array.isArray(value) ? from.children?.get(i) : from) ?? from;
      if (typeof item === 'object' && item !== null && !Array.isArray(item)) {
        merged.push(item as Record<string, unknown>);
        places.push(place);
      } else if (!place.failed)
        this.#report.atOffset(place.value, [...path, '<<'], 'expected an alias of a mapping, such as <<: *defaults');
    });
  }
}

interface MapItem {
  key: Node | null;
  value: Node | null;
}

function startOf(node: Node | null | undefined, otherwise: number): number {
  return node?.range?.[0] ?? otherwise;
}
