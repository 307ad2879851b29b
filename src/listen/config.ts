/** Settings of the listeners: where clients connect, and what a client may use up. */
import { z } from 'zod';
import { isNetwork } from '../http/network.ts';
import { address, count, duration, size } from '../kernel/schema.ts';
import { http2Config } from './http2/config.ts';
import { proxyProtocolConfig } from './proxy/config.ts';
import { tlsConfig } from './tlsconfig.ts';

/** `listeners.NAME.limits`: what one client may use up. */
export const listenerLimits = z
  .strictObject({
    connections: count(20_000, 1).describe(
      'Open connections per worker; further ones wait in the kernel until there is room, or another worker takes them.',
    ),
    head: size('32KiB', '1KiB').describe('Bytes of a request head (431 beyond).'),
    uri: size('8KiB', '64').describe('Bytes of a request target (414 beyond).'),
    fields: count(100, 1, 10_000).describe('Field lines of a request head or trailer (431 beyond).'),
    body: size('64MiB').describe('Bytes of a request body (413 beyond).'),
    chunkExtensions: size('4KiB').describe(
      'Bytes of chunk extensions in one body; they are read and dropped (400 beyond).',
    ),
    held: size('256MiB', '64KiB').describe(
      'Bytes of request bodies held at once, per worker, by requests whose `model` must be read before they travel (503 beyond).',
    ),
    pipelined: size('64KiB', '1B').describe(
      'Bytes of further requests kept while one is being answered; then reading waits.',
    ),
    trailers: size('8KiB').describe('Bytes of a trailer section (431 beyond).'),
    requestsPerConnection: count(100_000, 1).describe('Requests on one connection before it is closed politely.'),
  })
  .prefault({})
  .describe('What one client may use up.');

/** `listeners.NAME.timeouts`: how long a client may take. */
export const listenerTimeouts = z
  .strictObject({
    handshake: duration('10s', '1ms').describe('From accept to the end of the TLS handshake.'),
    head: duration('10s', '1ms').describe('From the first byte of a head to its end (408 beyond).'),
    body: duration('30s', '1ms').describe('Between two reads of a request body (408 beyond).'),
    keepAlive: duration('75s').describe('An idle connection waiting for its next request.'),
    write: duration('60s', '1ms').describe('A client that takes no byte of its response.'),
    halfClose: duration('10m').describe(
      'How long an answer goes on after the client has ended its sending side. One that has gone is noticed at once by what is written to it; `0s` takes every FIN for a farewell, as nginx does.',
    ),
    linger: duration('2s').describe(
      'After an early final response: how long further request bytes are read and dropped.',
    ),
  })
  .prefault({})
  .describe('How long a client may take.');

const HOP = 'expected an IP address or CIDR, such as 10.0.0.0/8';

/** `listeners.NAME`. */
export const listenerConfig = z.strictObject({
  address: address.describe('Where to listen: HOST:PORT, [IPV6]:PORT or unix:/path. Port 0 picks a free one.'),
  tls: tlsConfig.optional(),
  trustedHops: z
    .array(
      z
        .string()
        .regex(/^[0-9a-fA-F.:]+(\/\d{1,3})?$|^unix$/, HOP)
        .refine((hop) => hop === 'unix' || isNetwork(hop), HOP),
    )
    .default([])
    .describe(
      'Proxies in front whose X-Forwarded-* and Forwarded fields are believed; from anyone else they are removed.',
    ),
  proxyProtocol: proxyProtocolConfig.optional(),
  protocols: z
    .array(z.enum(['http1', 'http2']))
    .min(1)
    .optional()
    .describe(
      'Versions of HTTP that are spoken: by ALPN with TLS, by prior knowledge without. Unset: both with TLS, http1 without.',
    ),
  limits: listenerLimits,
  timeouts: listenerTimeouts,
  http2: http2Config,
});

export type { AcmeConfig } from './tlsconfig.ts';

/** One listener's settings after defaults. */
export type ListenerConfig = z.output<typeof listenerConfig>;

/** Versions that a listener speaks, the one that is preferred first. */
export function protocolsOf({ protocols, tls }: ListenerConfig): readonly ('http1' | 'http2')[] {
  return protocols ?? (tls === undefined ? ['http1'] : ['http2', 'http1']);
}

/** The same as ALPN names them (RFC 7301); HTTP/2 is preferred wherever it is spoken. */
export function alpnOf(config: ListenerConfig): string[] {
  const protocols = protocolsOf(config);
  return [...(protocols.includes('http2') ? ['h2'] : []), ...(protocols.includes('http1') ? ['http/1.1'] : [])];
}
