/** The door of routing: request head (and model) → the route that is most specific. Compiled once, no I/O. */
import { GatehouseError } from '../kernel/error.ts';
import type { RequestHead } from '../kernel/exchange.ts';
import { CompiledRoute } from './compiled.ts';
import type { RouteConfig } from './config.ts';
import { explainRoutes } from './explain.ts';
import { compareEntries, type Entry, parseHost } from './order.ts';
import { PathIndex } from './pathindex.ts';
import { parsePath } from './pattern.ts';
import { checkTarget, ENCODED, PLAIN, REFUSED, readPath, scanPath } from './target.ts';

export { checkRoutes } from './check.ts';
export { CompiledRoute } from './compiled.ts';
export { leavesOut } from './rewrite.ts';
export { plainPath } from './target.ts';

/** Finds the route of a request. */
export class Router {
  /** Every way into a route, most specific first. */
  readonly entries: readonly Entry[];
  readonly #exact = new Map<string, PathIndex>();
  /** Wildcards by suffix, dot included. */
  readonly #wildcards = new Map<string, PathIndex>();
  #longestWildcard = 0;
  #any: PathIndex | undefined;

  /** Throws an Error for what `checkRoutes` reports. */
  constructor(routes: readonly RouteConfig[]) {
    const entries: Entry[] = [];
    for (const [index, config] of routes.entries()) {
      for (const text of new Set<string | undefined>(config.match.path ?? [undefined])) {
        const path = parsePath(text);
        if (typeof path === 'string') throw new Error(`route ${config.name}: ${path}`);
        const route = new CompiledRoute(index, config, path);
        for (const name of new Set<string | undefined>(config.match.host ?? [undefined])) {
          entries.push({ route, host: parseHost(name), path, rank: 0 });
        }
      }
    }
    entries.sort(compareEntries);
    for (const [rank, entry] of entries.entries()) {
      entry.rank = rank;
      this.#indexFor(entry).add(entry);
    }
    this.entries = entries;
  }

  /**
   * The most specific route by host, path, method, fields and query. When it says `needsModel`, peek the body's model
   * and ask `matchModel`. Undefined: none matches, or the path must not be matched; `refusal` says which.
   */
  match(head: RequestHead): CompiledRoute | undefined {
    return this.#select(head, undefined, true)?.route;
  }

  /** The most specific route when the model is known; undefined: the request names none (or has no body). */
  matchModel(head: RequestHead, model: string | undefined): CompiledRoute | undefined {
    return this.#select(head, model, false)?.route;
  }

  /** Why no route was found, for the answer. */
  refusal(head: RequestHead): GatehouseError {
    const bad = checkTarget(head.path);
    if (bad) return bad;
    if (scanPath(head.path) === ENCODED && this.#find(head, readPath(head.path).loose, undefined, true)) {
      return new GatehouseError(
        'bad_request',
        'The request path can be read in two ways that belong to different routes: it has encoded reserved characters ' +
          'or ;parameters. Send it in its plain form.',
        { param: 'path' },
      );
    }
    return new GatehouseError('not_found', `No route matches ${head.method} ${head.host}${head.path}.`);
  }

  /** Which route wins for a request and why the others do not, in lines for people. */
  explain(head: RequestHead, model: string | undefined): string[] {
    return explainRoutes(this.entries, head, model, this.#select(head, model, false));
  }

  #indexFor(entry: Entry): PathIndex {
    const { kind, value } = entry.host;
    if (kind === 'any') {
      this.#any ??= new PathIndex();
      return this.#any;
    }
    const map = kind === 'exact' ? this.#exact : this.#wildcards;
    if (kind === 'wildcard') this.#longestWildcard = Math.max(this.#longestWildcard, value.length);
    let index = map.get(value);
    if (!index) {
      index = new PathIndex();
      map.set(value, index);
    }
    return index;
  }

  #select(head: RequestHead, model: string | undefined, anyModel: boolean): Entry | undefined {
    const { path } = head;
    const scan = scanPath(path);
    if (scan === PLAIN) return this.#find(head, path, model, anyModel);
    if (scan === REFUSED) return undefined;
    const { canonical, loose } = readPath(path);
    const found = this.#find(head, canonical, model, anyModel);
    if (loose === canonical) return found;
    const other = this.#find(head, loose, model, anyModel);
    if (other === undefined || other.route.index === found?.route.index) return found;
    return found !== undefined && found.rank < other.rank ? found : undefined;
  }

  #find(head: RequestHead, path: string, model: string | undefined, anyModel: boolean): Entry | undefined {
    let { host } = head;
    if (host.charCodeAt(host.length - 1) === 0x2e) host = host.slice(0, -1);
    const exact = this.#exact.get(host);
    if (exact !== undefined) {
      const entry = exact.find(path, head, model, anyModel);
      if (entry !== undefined) return entry;
    }
    if (this.#wildcards.size > 0) {
      // The first dot leaves the longest suffix; there is a name before it. What is longer than any wildcard is passed
      // over, so that a host of a thousand labels costs no more than a normal one.
      const from = Math.max(1, host.length - this.#longestWildcard);
      for (let dot = host.indexOf('.', from); dot > 0; dot = host.indexOf('.', dot + 1)) {
        const entry = this.#wildcards.get(host.slice(dot))?.find(path, head, model, anyModel);
        if (entry !== undefined) return entry;
      }
    }
    return this.#any?.find(path, head, model, anyModel);
  }
}

/** Compiles routes; throws an Error for what `checkRoutes` reports, so call that first. */
export function compileRoutes(routes: readonly RouteConfig[]): Router {
  return new Router(routes);
}
