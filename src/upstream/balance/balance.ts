/** The door of balancing: which endpoint of an upstream takes a request. Pure but for the dice. */
import type { Clock } from '../../kernel/clock.ts';
import type { UpstreamConfig } from '../config.ts';
import type { Balancer, Candidate } from './candidate.ts';
import { HashBalancer } from './hash.ts';
import { LeastRequestsBalancer } from './leastrequests.ts';
import { RandomBalancer } from './random.ts';
import { RoundRobinBalancer } from './roundrobin.ts';

export type { Balancer, Candidate, Tried } from './candidate.ts';

/** Where the key of consistent hashing comes from. */
export interface HashSource {
  readonly from: 'ip' | 'model' | 'path' | 'host' | 'header' | 'query';
  /** Field name in lower case, or parameter name; '' for the others. */
  readonly name: string;
}

/** What `pick`'s key is to be taken from; undefined: the policy needs none. */
export function hashSource(config: UpstreamConfig['balance']): HashSource | undefined {
  if (config === 'hash') return { from: 'ip', name: '' };
  if (typeof config === 'string') return undefined;
  const colon = config.on.indexOf(':');
  if (colon < 0) return { from: config.on as HashSource['from'], name: '' };
  const from = config.on.slice(0, colon) as HashSource['from'];
  const name = config.on.slice(colon + 1);
  return { from, name: from === 'header' ? name.toLowerCase() : name };
}

/**
 * A balancer over `candidates`, all of an upstream's or those of one level. The array stays the same for the balancer's
 * life; its elements are changed in place.
 */
export function createBalancer(
  config: UpstreamConfig['balance'],
  candidates: readonly Candidate[],
  clock: Clock,
): Balancer {
  const policy = typeof config === 'string' ? config : config.policy;
  switch (policy) {
    case 'roundRobin':
      return new RoundRobinBalancer(candidates);
    case 'leastRequests':
      return new LeastRequestsBalancer(candidates, clock);
    case 'random':
      return new RandomBalancer(candidates, clock);
    case 'hash':
      return new HashBalancer(candidates, typeof config === 'string' ? 0.25 : config.boundedLoad, clock);
  }
}
