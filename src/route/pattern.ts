/** The path rules of routes: exact `/v1/models`, prefix `/v1/*`, pattern `/users/{id}/files`, any. Pure. */
import { canonicalPath, checkTarget } from './target.ts';

/** Deepest path rule; a limit so that matching stays bounded. */
export const SEGMENTS_MAX = 64;

/** A path rule after parsing. */
export interface PathRule {
  /** As it was written; `*` for any. */
  readonly text: string;
  readonly kind: 'exact' | 'pattern' | 'prefix' | 'any';
  /** Canonical literal segments, undefined where a `{name}` stands. */
  readonly segments: readonly (string | undefined)[];
  /** Names of the `{name}` segments, by position; undefined at literals. */
  readonly names: readonly (string | undefined)[];
  /** How many segments are literal. */
  readonly literals: number;
  /** The rule ends in `/` (patterns only). */
  readonly slash: boolean;
  /** Exact: the canonical path. Prefix without variables: what stands before `/*`. Otherwise ''. */
  readonly literal: string;
  /** Equal for rules that match the same paths. */
  readonly shape: string;
}

const ANY: PathRule = {
  text: '*',
  kind: 'any',
  segments: [],
  names: [],
  literals: 0,
  slash: false,
  literal: '',
  shape: '*',
};

const WIDE = /[\u0080-\uffff]+/g;

/** A path rule from its text (undefined or `*`: any path), or a sentence saying what is wrong with it. */
export function parsePath(text: string | undefined): PathRule | string {
  if (text === undefined || text === '*') return ANY;
  if (!text.startsWith('/')) return `path ${text} must start with /`;
  if (/[?#]/.test(text)) return `path ${text} must not contain ? or #; match parameters with match.query`;
  const tail = text.endsWith('/*');
  const body = tail ? text.slice(0, -2) : text;
  if (body.includes('*')) return `path ${text}: * may only be the last segment, as in /v1/*`;
  const bare = body.replaceAll(/[{}]/g, '');
  // Beyond ASCII, what clients send is the UTF-8 bytes percent-encoded (RFC 3986 §2.5).
  const encoded = body.replace(WIDE, (wide) => encodeURIComponent(wide.replace(/\p{Surrogate}/gu, '\ufffd')));
  const problem = checkTarget(bare.replace(WIDE, 'x'));
  if (problem) return `path ${text} never matches: ${problem.message.replace('The request path', 'it')}`;
  const canonical = canonicalPath(encoded);
  const slash = !tail && canonical.length > 1 && canonical.endsWith('/');
  const parts = canonical.split('/').filter((part) => part !== '');
  if (parts.length > SEGMENTS_MAX) return `path ${text} has more than ${SEGMENTS_MAX} segments`;
  const segments: (string | undefined)[] = [];
  const names: (string | undefined)[] = [];
  for (const part of parts) {
    const variable = /^\{([A-Za-z_][A-Za-z0-9_-]*)\}$/.exec(part)?.[1];
    if (variable === undefined && /[{}]/.test(part)) {
      return `path ${text}: {name} must be a whole segment, with a name of letters, digits, _ and -, as in /users/{id}/files`;
    }
    if (variable !== undefined && names.includes(variable)) return `path ${text} has {${variable}} twice`;
    segments.push(variable === undefined ? part : undefined);
    names.push(variable);
  }
  const literals = segments.filter((segment) => segment !== undefined).length;
  const plain = literals === segments.length;
  return {
    text,
    kind: tail ? 'prefix' : plain ? 'exact' : 'pattern',
    segments,
    names,
    literals,
    slash,
    literal: plain ? (tail ? parts.map((part) => `/${part}`).join('') : canonical) : '',
    shape: `/${segments.map((segment) => segment ?? '{}').join('/')}${slash ? '/' : ''}${tail ? '*' : ''}`,
  };
}

/** Whether a canonical path falls under a rule; the slow, obvious way, for explanations and tests. */
export function pathMatches(rule: PathRule, path: string): boolean {
  if (rule.kind === 'any') return true;
  if (!path.startsWith('/')) return false;
  if (rule.kind === 'exact') return path === rule.literal;
  const parts = path.split('/').slice(1);
  const slash = parts.length > 1 && parts.at(-1) === '';
  if (parts.at(-1) === '') parts.pop();
  if (rule.kind === 'pattern' && (parts.length !== rule.segments.length || slash !== rule.slash)) return false;
  return rule.segments.every((segment, i) => i < parts.length && (segment === undefined || segment === parts[i]));
}

const KINDS = ['exact', 'pattern', 'prefix', 'any'];

/**
 * Orders path rules, most specific first: exact, pattern, prefix, any; then more literal segments; then more segments;
 * then the one whose first differing segment is literal. 0 where they are equally specific.
 */
export function comparePaths(a: PathRule, b: PathRule): number {
  const order =
    KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || b.literals - a.literals || b.segments.length - a.segments.length;
  if (order !== 0) return order;
  for (let i = 0; i < a.segments.length; i++) {
    const literalA = a.segments[i] !== undefined;
    if (literalA !== (b.segments[i] !== undefined)) return literalA ? -1 : 1;
  }
  return 0;
}
