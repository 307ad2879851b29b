/** A request head made from plain values, for the tests of this room. */
import type { RequestHead } from '../kernel/exchange.ts';

/** A head for `method host target`, with field lines. */
export function makeHead(method: string, host: string, target: string, lines: [string, string][] = []): RequestHead {
  const question = target.indexOf('?');
  return {
    method,
    target,
    path: question < 0 ? target : target.slice(0, question),
    query: question < 0 ? '' : target.slice(question + 1),
    authority: host,
    host: host.toLowerCase().replace(/:\d+$/, ''),
    minor: 1,
    get: (name) => lines.find(([n]) => n.toLowerCase() === name)?.[1],
    count: (name) => lines.filter(([n]) => n.toLowerCase() === name).length,
    each: (visit) => {
      for (const [name, value] of lines) visit(name, value);
    },
  };
}
