/**
 * Conditions in CEL (https://cel.dev): parsed and checked against the types of what they speak of when the configuration is
 * loaded, evaluated in time that is linear in the request. What could cost more (regular expressions, loops within loops,
 * `cel.bind`) is refused when it is read.
 */
import { type ASTNode, Environment, type ParseResult } from '@marcbachmann/cel-js';
import { inNetwork, isNetwork } from '../../http/network.ts';
import { matchesPattern } from './pattern.ts';
import { IDENTITY_FIELDS, IdentityView, REQUEST_FIELDS, RequestView, TIME_FIELDS, TimeView } from './view.ts';

/** What an expression may speak of, all three made once and filled for each evaluation. */
export interface Scope {
  readonly identity: IdentityView;
  readonly request: RequestView;
  readonly time: TimeView;
}

/** Loops over the items of a list; one inside another would multiply their lengths. */
const LOOPS = new Set(['all', 'exists', 'exists_one', 'filter', 'map']);
/** Parts of a request that are known only when its body was read. */
const BODY_FIELDS = new Set(['model', 'stream', 'maxTokens', 'tools']);

const environment = new Environment({
  limits: { maxAstNodes: 500, maxDepth: 50, maxListElements: 256, maxMapEntries: 64, maxCallArguments: 8 },
})
  .registerType('Identity', { ctor: IdentityView, fields: IDENTITY_FIELDS })
  .registerType('Request', { ctor: RequestView, fields: REQUEST_FIELDS })
  .registerType('Time', { ctor: TimeView, fields: TIME_FIELDS })
  .registerVariable('identity', 'Identity')
  .registerVariable('request', 'Request')
  .registerVariable('time', 'Time')
  .registerFunction('string.inNetwork(string): bool', inNetwork)
  .registerFunction('string.like(string): bool', (name: string, pattern: string) => matchesPattern(pattern, name));

/** A compiled condition. */
export class Expression {
  readonly text: string;
  /** It asks for what only the body tells. */
  readonly needsBody: boolean;
  /** It asks for the names of tools. */
  readonly needsTools: boolean;
  readonly #evaluate: ParseResult;

  /** Throws an `Error` whose message says what is wrong, in one line. */
  constructor(text: string) {
    this.text = text;
    const parsed = parse(text);
    const use: Use = { body: false, tools: false };
    walk(parsed.ast, false, use);
    const { valid, type, error } = parsed.check();
    if (!valid) throw new Error(said(text, error));
    if (type !== 'bool') throw new Error(`expected an expression that is true or false, and this gives ${type}`);
    this.needsBody = use.body;
    this.needsTools = use.tools;
    this.#evaluate = parsed;
  }

  /** Whether it is true. Throws when that cannot be told, as where it asks for a claim that is not there. */
  holds(scope: Scope): boolean {
    return this.#evaluate(scope as unknown as Record<string, unknown>) === true;
  }
}

/** What is wrong with a condition; undefined: nothing. */
export function expressionFault(text: string): string | undefined {
  try {
    new Expression(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function parse(text: string): ParseResult {
  try {
    return environment.parse(text);
  } catch (error) {
    throw new Error(said(text, error as CelError));
  }
}

/** What an expression asks for. */
interface Use {
  body: boolean;
  tools: boolean;
}

interface CelError extends Error {
  summary?: string;
  range?: { start: number; end: number };
}

function said(text: string, error: CelError | undefined): string {
  const what = error?.summary ?? error?.message.split('\n')[0] ?? 'it cannot be read';
  const { start, end } = error?.range ?? { start: 0, end: 0 };
  const at = end > start ? ` at \`${text.slice(start, Math.min(end, start + 40))}\`` : '';
  return `this is no condition in CEL: ${what}${at} (character ${start + 1})`;
}

/** Refuses what may be costly, and finds out whether the body is asked for. */
function walk(node: ASTNode, inLoop: boolean, use: Use): void {
  const { op, args } = node as { op: string; args: unknown };
  let looping = inLoop;
  if (op === 'call' || op === 'rcall') {
    const [name, receiver] = args as [string, ASTNode];
    if (name === 'matches')
      throw new Error('regular expressions are not evaluated here: use like("a*b"), startsWith, endsWith or contains');
    if (name === 'bind' && op === 'rcall') throw new Error('cel.bind is not evaluated here: write the value out');
    if (op === 'rcall' && name === 'inNetwork') checkNetwork(args as [string, ASTNode, ASTNode[]]);
    if (op === 'rcall' && LOOPS.has(name)) {
      if (inLoop) throw new Error(`a loop (${name}) inside another one is not evaluated here: it could take too long`);
      walk(receiver, inLoop, use);
      looping = true;
    }
  }
  if (op === '.' || op === '.?') {
    const [of, field] = args as [ASTNode, string];
    if ((of as { op: string }).op === 'id' && (of as { args: unknown }).args === 'request') {
      use.body ||= BODY_FIELDS.has(field);
      use.tools ||= field === 'tools';
      return;
    }
  }
  // The request as a whole.
  if (op === 'id' && args === 'request') use.body = use.tools = true;
  each(args, (child) => walk(child, looping, use));
}

/** A network that is written out is read now: as a request comes, a wrong one would only make the condition fail. */
function checkNetwork([, , given]: [string, ASTNode, ASTNode[]]): void {
  const { op, args } = (given[0] ?? {}) as { op?: string; args?: unknown };
  if (op === 'value' && typeof args === 'string' && !isNetwork(args))
    throw new Error(`inNetwork("${args}"): this is no network, such as 10.0.0.0/8, nor an address`);
}

function each(value: unknown, visit: (node: ASTNode) => void): void {
  if (Array.isArray(value)) for (const item of value) each(item, visit);
  else if (typeof value === 'object' && value !== null && 'op' in value) visit(value as ASTNode);
}
