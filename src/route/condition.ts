/** What a route asks of a request beside host and path: method, fields, query parameters, model. Pure. */
import type { RequestHead } from '../kernel/exchange.ts';
import type { RouteConfig, ValueMatch } from './config.ts';

/** A test of one field's or parameter's value. */
export interface ValueTest {
  /** Field name in lower case, or parameter name. */
  readonly name: string;
  readonly kind: 'exact' | 'prefix' | 'present' | 'absent' | 'oneOf';
  /** For exact and prefix. */
  readonly value: string;
  /** For oneOf. */
  readonly values: ReadonlySet<string>;
}

/** A test of the model's name. */
export interface ModelTest {
  readonly exact: ReadonlySet<string>;
  /** What stands before the `*` of patterns. */
  readonly prefixes: readonly string[];
}

/** All conditions of a route; all must hold. */
export interface Conditions {
  readonly methods: readonly string[] | undefined;
  readonly headers: readonly ValueTest[];
  readonly query: readonly ValueTest[];
  readonly model: ModelTest | undefined;
  /** How many there are: one for method, one for model, one for each field and parameter. */
  readonly count: number;
  /** Length of the shortest model pattern; Infinity when all models are exact or there is none. */
  readonly modelLength: number;
}

function valueTest(name: string, match: ValueMatch): ValueTest {
  const values = new Set<string>();
  if (typeof match === 'string') return { name, kind: 'exact', value: match, values };
  if ('prefix' in match) return { name, kind: 'prefix', value: match.prefix, values };
  if ('present' in match) return { name, kind: match.present ? 'present' : 'absent', value: '', values };
  return { name, kind: 'oneOf', value: '', values: new Set(match.oneOf) };
}

/** The conditions in `match`, ready to be tested. */
export function compileConditions(match: RouteConfig['match']): Conditions {
  const headers = Object.entries(match.headers ?? {}).map(([name, value]) => valueTest(name.toLowerCase(), value));
  const query = Object.entries(match.query ?? {}).map(([name, value]) => valueTest(name, value));
  const prefixes = (match.model ?? []).filter((model) => model.endsWith('*')).map((model) => model.slice(0, -1));
  const model = match.model && { exact: new Set(match.model.filter((m) => !m.endsWith('*'))), prefixes };
  return {
    methods: match.method,
    headers,
    query,
    model,
    count: (match.method ? 1 : 0) + headers.length + query.length + (model ? 1 : 0),
    modelLength: Math.min(...prefixes.map((prefix) => prefix.length)),
  };
}

function valuePasses(test: ValueTest, value: string): boolean {
  if (test.kind === 'exact') return value === test.value;
  if (test.kind === 'prefix') return value.startsWith(test.value);
  if (test.kind === 'oneOf') return test.values.has(value);
  return test.kind === 'present';
}

/** A field that comes several times passes only if every line does: which of them the server reads is not known. */
function headerPasses(test: ValueTest, head: RequestHead): boolean {
  const first = head.get(test.name);
  if (first === undefined) return test.kind === 'absent';
  if (!valuePasses(test, first)) return false;
  if (head.count(test.name) < 2) return true;
  let passes = true;
  head.each((name, value) => {
    if (name.toLowerCase() === test.name && !valuePasses(test, value)) passes = false;
  });
  return passes;
}

function decodeQuery(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** As with fields: a repeated parameter passes only if every value does. */
function queryPasses(test: ValueTest, query: string): boolean {
  let found = false;
  for (let start = 0; start < query.length; ) {
    const amp = query.indexOf('&', start);
    const end = amp < 0 ? query.length : amp;
    const equals = query.indexOf('=', start);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    const same =
      (nameEnd - start === test.name.length && query.startsWith(test.name, start)) ||
      decodeQuery(query.slice(start, nameEnd)) === test.name;
    if (same) {
      found = true;
      if (!valuePasses(test, decodeQuery(query.slice(nameEnd + 1, Math.max(nameEnd + 1, end))))) return false;
    }
    start = end + 1;
  }
  return found || test.kind === 'absent';
}

/** Whether a model's name passes; a request that names no model passes no test. */
export function modelPasses(test: ModelTest, model: string | undefined): boolean {
  if (model === undefined) return false;
  if (test.exact.has(model)) return true;
  for (let i = 0; i < test.prefixes.length; i++) if (model.startsWith(test.prefixes[i] as string)) return true;
  return false;
}

/** Whether all conditions on the head hold (the model's is not one of them). */
export function headPasses(conditions: Conditions, head: RequestHead): boolean {
  if (conditions.methods !== undefined && !conditions.methods.includes(head.method)) return false;
  const { headers, query } = conditions;
  for (let i = 0; i < headers.length; i++) if (!headerPasses(headers[i] as ValueTest, head)) return false;
  for (let i = 0; i < query.length; i++) if (!queryPasses(query[i] as ValueTest, head.query)) return false;
  return true;
}

function describe(what: string, test: ValueTest): string {
  if (test.kind === 'exact') return `${what} ${test.name} must be ${test.value}`;
  if (test.kind === 'prefix') return `${what} ${test.name} must start with ${test.value}`;
  if (test.kind === 'oneOf') return `${what} ${test.name} must be one of ${[...test.values].join(', ')}`;
  return `${what} ${test.name} must be ${test.kind}`;
}

/** The first condition that does not hold, as a phrase; undefined when all hold. */
export function firstFailure(conditions: Conditions, head: RequestHead, model: string | undefined): string | undefined {
  const { methods } = conditions;
  if (methods && !methods.includes(head.method)) return `method must be ${methods.join(' or ')}, is ${head.method}`;
  const header = conditions.headers.find((test) => !headerPasses(test, head));
  if (header) return `${describe('field', header)}, is ${head.get(header.name) ?? 'absent'}`;
  const parameter = conditions.query.find((test) => !queryPasses(test, head.query));
  if (parameter) return describe('query parameter', parameter);
  if (conditions.model && !modelPasses(conditions.model, model)) {
    const wanted = [...conditions.model.exact, ...conditions.model.prefixes.map((prefix) => `${prefix}*`)];
    return `model must be ${wanted.join(' or ')}, is ${model ?? 'not named'}`;
  }
  return undefined;
}
