/** What a route changes on the way: the target, and fields of request and response. Compiled once. Pure. */
import type { RequestHead } from '../kernel/exchange.ts';
import type { RouteConfig } from './config.ts';
import type { PathRule } from './pattern.ts';
import { segmentEnd, segmentStart } from './target.ts';

/** Changes to the fields of a head, ready to be applied in one pass. */
export interface FieldChanges {
  /** Fields to replace or add: name as written, value. */
  readonly set: readonly (readonly [string, string])[];
  /** Fields to add beside existing ones. */
  readonly add: readonly (readonly [string, string])[];
  /** Names to take out, in lower case. */
  readonly remove: ReadonlySet<string>;
  /** `remove` and the names in `set`: every incoming line with one of these names is left out. */
  readonly drop: ReadonlySet<string>;
  /** `set` and `add` as lines with CRLF, to be written after what was kept. */
  readonly lines: string;
}

/** Fields that frame a message or belong to one hop; Gatehouse alone writes them. */
export const RESERVED_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Whether an incoming line of this name (lower case) is left out. A name with `_` goes with its dashed twin: CGI-like servers
 * read both as one, and a client could speak beside what the route sets.
 */
export function leavesOut(changes: FieldChanges, lowerName: string): boolean {
  return changes.drop.has(lowerName) || (lowerName.includes('_') && changes.drop.has(lowerName.replaceAll('_', '-')));
}

type Changes = NonNullable<NonNullable<RouteConfig['rewrite']>['requestHeaders']>;

/** Compiles field changes; undefined when there are none. */
export function compileFields(changes: Changes | undefined): FieldChanges | undefined {
  if (!changes) return undefined;
  const set = Object.entries(changes.set);
  const add = Object.entries(changes.add);
  const remove = new Set(changes.remove.map((name) => name.toLowerCase()));
  if (set.length + add.length + remove.size === 0) return undefined;
  return {
    set,
    add,
    remove,
    drop: new Set([...remove, ...set.map(([name]) => name.toLowerCase())]),
    lines: [...set, ...add].map(([name, value]) => `${name}: ${value}\r\n`).join(''),
  };
}

/**
 * What is wrong with field changes: the keys that lead to it, and a sentence. That names and values are written as
 * RFC 9110 §5 asks is the schema's part.
 */
export function checkFields(changes: Changes | undefined): { at: (string | number)[]; message: string }[] {
  if (!changes) return [];
  const names = [
    ...Object.keys(changes.set).map((name) => ({ at: ['set', name], name })),
    ...Object.keys(changes.add).map((name) => ({ at: ['add', name], name })),
    ...changes.remove.map((name, i) => ({ at: ['remove', i], name })),
  ];
  return names.flatMap(({ at, name }) => {
    if (name.toLowerCase() === 'host') return [{ at, message: 'set the Host field with rewrite.host' }];
    if (!RESERVED_FIELDS.has(name.toLowerCase())) return [];
    return [{ at, message: `${name} belongs to one connection and is written by Gatehouse alone; take it out` }];
  });
}

/** A path rewrite, compiled against the path rule it belongs to. */
export interface PathRewrite {
  /** Literal text and positions of segments to insert, in turn. */
  readonly parts: readonly (string | number)[];
  /** With a number: what follows that many segments of the original path is appended. */
  readonly keepAfter: number;
}

/** Compiles `rewrite.path` for a rule, or says what is wrong with it. */
export function compilePathRewrite(text: string, rule: PathRule): PathRewrite | string {
  const keep = text.endsWith('/*');
  const body = keep ? text.slice(0, -2) : text;
  if (/[?#*\\\s]/.test(body) || !/^[\x21-\x7e]*$/.test(body)) {
    return `rewrite.path ${text} may hold only printable ASCII without ? # \\ and, but for a final /*, without *`;
  }
  if (/(^|\/)\.\.?(\/|$)/.test(body)) return `rewrite.path ${text} must not contain "." or ".." segments`;
  if (keep && (rule.kind === 'exact' || rule.kind === 'pattern')) {
    return `rewrite.path ${text} keeps a rest (/*), but path ${rule.text} leaves none; write the whole new path`;
  }
  const parts: (string | number)[] = [];
  for (const piece of body.split(/(\{[^{}]*\})/)) {
    const name = /^\{(.*)\}$/.exec(piece)?.[1];
    if (name === undefined) {
      if (/[{}]/.test(piece)) return `rewrite.path ${text} has an unpaired { or }`;
      if (piece !== '') parts.push(piece);
      continue;
    }
    const position = rule.names.indexOf(name);
    if (position < 0) return `rewrite.path ${text} inserts {${name}}, but path ${rule.text} has no such segment`;
    parts.push(position);
  }
  return { parts, keepAfter: keep ? rule.segments.length : -1 };
}

/** The new target: the rewritten path with the query as it came. Inserted and kept parts stay the bytes they were. */
export function rewriteTarget(rewrite: PathRewrite, head: RequestHead): string {
  const { path } = head;
  let text = '';
  for (let i = 0; i < rewrite.parts.length; i++) {
    const part = rewrite.parts[i] as string | number;
    if (typeof part === 'string') text += part;
    else {
      const start = segmentStart(path, part);
      text += path.slice(start, segmentEnd(path, start));
    }
  }
  if (rewrite.keepAfter >= 0) {
    const start = segmentStart(path, rewrite.keepAfter);
    // One slash however many came: `//host/…` at the start of a target could be taken for an authority.
    if (start < path.length || path.endsWith('/')) text += `/${path.slice(start)}`;
  }
  if (text === '') text = '/';
  return text + head.target.slice(path.length);
}
