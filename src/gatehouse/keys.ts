/** The keys by which a caller keeps its model version, or its endpoint. */
import type { RequestHead } from '../kernel/exchange.ts';
import type { CompiledModel } from '../route/model.ts';
import type { HashSource } from '../upstream/balance/balance.ts';
import type { Passage } from './passage.ts';

/** What keeps a caller on one version; undefined when the model is not sticky or the caller has no such key. */
export function stickyKey(sticky: CompiledModel['sticky'], passage: Passage, head: RequestHead): string | undefined {
  if (sticky === undefined) return undefined;
  switch (sticky.from) {
    case 'key':
      // The name of a key that was verified; where none was asked for, what the client sends for the upstream.
      return (
        passage.exchange.identity?.account ?? head.get('authorization') ?? head.get('x-api-key') ?? head.get('api-key')
      );
    case 'user':
      return passage.peek?.user;
    case 'ip':
      return passage.exchange.inbound.clientAddress;
    default:
      return head.get(sticky.header);
  }
}

/** What the hash policy hashes; undefined for the other policies, or when the request has no such value. */
export function hashKey(source: HashSource | undefined, passage: Passage): string | undefined {
  if (source === undefined) return undefined;
  const { exchange } = passage;
  const { head } = exchange;
  switch (source.from) {
    case 'ip':
      return exchange.inbound.clientAddress;
    case 'model':
      return exchange.model;
    case 'path':
      return head.path;
    case 'host':
      return head.host;
    case 'header':
      return head.get(source.name);
    default:
      return new URLSearchParams(head.query).get(source.name) ?? undefined;
  }
}
