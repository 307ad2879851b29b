/** The endpoints of a changed upstream: those that stay are the same objects, with connections, health and load. */
import type { EndpointConfig, UpstreamConfig } from './config.ts';
import { Endpoint } from './endpoint.ts';
import type { EndpointParts } from './endpointparts.ts';

/** An endpoint that stays, with the place and settings that it is to have. */
export interface Carried {
  endpoint: Endpoint;
  index: number;
  to: EndpointConfig;
}

/** Makes the endpoints of `config`; what is carried over from `before` is not changed yet. */
export function carryOver(
  upstream: string,
  config: UpstreamConfig,
  parts: EndpointParts,
  before: readonly Endpoint[],
): { endpoints: Endpoint[]; carried: Carried[] } {
  const left = new Set(before);
  const carried: Carried[] = [];
  const endpoints = config.endpoints.map((to, index) => {
    for (const endpoint of left) {
      if (!endpoint.isAt(to)) continue;
      left.delete(endpoint);
      // Connections that were made under other TLS settings prove nothing under these.
      if (!endpoint.trusts(parts.tls)) return new Endpoint(index, to, upstream, config, parts, endpoint);
      carried.push({ endpoint, index, to });
      return endpoint;
    }
    return new Endpoint(index, to, upstream, config, parts);
  });
  return { endpoints, carried };
}
