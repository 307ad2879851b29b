/** Paths with parameters → operations. */
import type { Method, Operation } from './operation.ts';

/** What a path has to offer. */
export interface Found {
  readonly byMethod: ReadonlyMap<Method, Operation>;
  readonly params: Readonly<Record<string, string>>;
}

interface Node {
  readonly literals: Map<string, Node>;
  parameter: { readonly name: string; readonly node: Node } | undefined;
  readonly byMethod: Map<Method, Operation>;
}

const node = (): Node => ({ literals: new Map(), parameter: undefined, byMethod: new Map() });

/** Finds operations by path. A literal segment goes before a parameter. */
export class Router {
  readonly #root = node();
  readonly #paths: readonly string[];

  constructor(operations: readonly Operation[]) {
    for (const one of operations) this.#add(one);
    this.#paths = [...new Set(operations.map(({ path }) => path))];
  }

  /** All paths, as they are written. */
  get paths(): readonly string[] {
    return this.#paths;
  }

  /** What is at a path; undefined: nothing. A parameter that is not proper percent-encoding matches nothing. */
  find(path: string): Found | undefined {
    const params: Record<string, string> = {};
    let at = this.#root;
    for (const segment of path.split('/').slice(1)) {
      const literal = at.literals.get(segment);
      if (literal !== undefined) {
        at = literal;
        continue;
      }
      const value = decode(segment);
      if (at.parameter === undefined || value === undefined || value === '') return undefined;
      params[at.parameter.name] = value;
      at = at.parameter.node;
    }
    return at.byMethod.size > 0 ? { byMethod: at.byMethod, params } : undefined;
  }

  #add(operation: Operation): void {
    let at = this.#root;
    for (const segment of operation.path.split('/').slice(1)) {
      const name = /^\{(\w+)\}$/.exec(segment)?.[1];
      if (name === undefined) {
        const next = at.literals.get(segment) ?? node();
        at.literals.set(segment, next);
        at = next;
        continue;
      }
      at.parameter ??= { name, node: node() };
      if (at.parameter.name !== name) throw new Error(`${operation.path}: the parameter has two names`);
      at = at.parameter.node;
    }
    if (at.byMethod.has(operation.method)) throw new Error(`${operation.method} ${operation.path} stands twice`);
    at.byMethod.set(operation.method, operation);
  }
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
