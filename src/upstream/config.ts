/** Settings of the upstreams: which servers answer, how load is spread, and how long we wait. */
import { z } from 'zod';
import { count, duration, name, percent, size } from '../kernel/schema.ts';

/** `upstreams.NAME.endpoints[]`. */
export const endpointConfig = z.strictObject({
  url: z
    .string()
    .regex(
      /^(https?:\/\/[^/?#\s@]+|unix:\/[^?#\s]+)\/?$/,
      'expected http://HOST:PORT, https://HOST:PORT or unix:/path, without a path behind it',
    )
    .describe('Where the server is: http://HOST:PORT, https://HOST:PORT or unix:/path/of.sock.'),
  name: name.optional().describe('Name in metrics and logs; the URL without scheme when left out.'),
  weight: z.number().int().min(0).max(1000).default(1).describe('Share of the load, relative to the others; 0 drains.'),
  zone: name.optional().describe('Availability zone, for reports and later for local-first routing.'),
  region: name.optional().describe('Region, for reports and later for fail-over.'),
});

/** `upstreams.NAME.balance`. */
export const balanceConfig = z
  .union([
    z.enum(['roundRobin', 'leastRequests', 'random', 'hash']),
    z.strictObject({
      policy: z.literal('hash').describe('Consistent hashing.'),
      on: z
        .string()
        .regex(
          /^(ip|model|path|host|header:[A-Za-z0-9-]+|query:[^\s=&]+)$/,
          'expected ip, model, path, host, header:NAME or query:NAME',
        )
        .default('ip')
        .describe('What is hashed: ip, model, path, host, header:NAME or query:NAME.'),
      boundedLoad: percent('25%').describe(
        'How far above the mean an endpoint may be loaded before the next on the ring is used.',
      ),
    }),
  ])
  .default('leastRequests')
  .describe(
    'How an endpoint is chosen: roundRobin, leastRequests (two random choices), random, hash (consistent, bounded load).',
  );

/** `upstreams.NAME.health`. */
export const healthConfig = z
  .strictObject({
    path: z.string().startsWith('/').default('/health').describe('Path that is asked for.'),
    host: z.string().optional().describe("Host field of the probe; the endpoint's own when left out."),
    interval: duration('5s', '100ms').describe('Between two probes of one endpoint.'),
    timeout: duration('2s', '1ms').describe('How long a probe may take.'),
    expectStatus: z
      .array(z.number().int().min(100).max(599))
      .default([])
      .describe('Statuses that count as healthy; any 2xx when empty.'),
    unhealthyAfter: count(3, 1).describe('Failed probes in a row before the endpoint is taken out.'),
    healthyAfter: count(2, 1).describe('Good probes in a row before it comes back.'),
  })
  .describe('Active health checks, made by one prober for all workers.');

/** `upstreams.NAME.tls`: TLS towards https endpoints. */
export const upstreamTls = z
  .strictObject({
    ca: z.string().optional().describe("PEM file with the authorities that are trusted instead of the system's."),
    serverName: z.string().optional().describe("Name for SNI and verification; the URL's host when left out."),
    certificate: z.string().optional().describe('PEM file with the client certificate to show.'),
    key: z.string().optional().describe('PEM file with its private key.'),
    verify: z.boolean().default(true).describe("Whether the server's certificate is verified. Leave it on."),
  })
  .prefault({})
  .describe('TLS towards https endpoints.');

/** `upstreams.NAME.timeouts`: how long a server may take. */
export const upstreamTimeouts = z
  .strictObject({
    connect: duration('2s', '1ms').describe('Until the connection (and TLS) stands.'),
    firstByte: duration('60s', '1ms').describe('From the end of the request to the first byte of the response head.'),
    idle: duration('30s', '1ms').describe('Between two reads of the response body.'),
    total: duration('10m', '1ms').describe('The whole exchange.'),
    tunnel: duration('1h', '1ms').describe('A tunnel (WebSocket) in which no byte moves.'),
  })
  .prefault({})
  .describe('How long the servers may take.');

/** `upstreams.NAME`. */
export const upstreamConfig = z.strictObject({
  protocol: z.enum(['openai', 'anthropic', 'http']).default('http').describe('API that the servers speak.'),
  balance: balanceConfig,
  endpoints: z.array(endpointConfig).min(1, 'expected at least one endpoint').describe('The servers.'),
  host: z
    .string()
    .default('endpoint')
    .describe("Host field sent upstream: `endpoint` (the URL's), `preserve` (the client's), or a literal name."),
  tls: upstreamTls,
  health: healthConfig.optional(),
  passive: z
    .strictObject({
      consecutiveErrors: count(5, 1).describe(
        'Failed connections or broken answers in a row before an endpoint is taken out.',
      ),
      ejectFor: duration('10s').describe('How long it stays out; doubles with each ejection, up to ten times.'),
      maxEjected: percent('50%').describe('At most this share of the endpoints is out at once.'),
    })
    .prefault({})
    .describe('Passive marking by what real requests meet.'),
  slowStart: duration('0').describe(
    'After an endpoint has come back: how long its weight takes to grow to its full share.',
  ),
  pool: z
    .strictObject({
      connections: count(10_000, 1).describe('Connections to one endpoint, per worker (503 beyond).'),
      idle: count(256, 0).describe('Idle connections kept to one endpoint, per worker.'),
      idleTimeout: duration('4s').describe(
        "How long an idle connection is kept; keep it below the server's own keep-alive time.",
      ),
      requestsPerConnection: count(100_000, 1).describe('Requests on one connection before it is replaced.'),
    })
    .prefault({})
    .describe('Connections kept to the servers.'),
  limits: z
    .strictObject({
      head: size('64KiB', '1KiB').describe('Bytes of a response head (502 beyond).'),
      fields: count(200, 1, 10_000).describe('Field lines of a response head or trailer (502 beyond).'),
      interim: count(16, 0, 1000).describe('1xx responses before the final one (502 beyond).'),
    })
    .prefault({})
    .describe('What one response may use up.'),
  timeouts: upstreamTimeouts,
  retries: z
    .strictObject({
      attempts: count(2, 1, 10).describe('Tries in all, the first included.'),
      budget: percent('20%').describe(
        'Retries under way, as a share of the requests under way (at least 3 are allowed).',
      ),
      replay: size('64KiB').describe(
        'Bytes of a relayed request body kept for another try; a longer one is sent once.',
      ),
      nonIdempotent: z
        .boolean()
        .default(false)
        .describe(
          'Whether a POST that may have reached the server is tried again. Connection failures are always tried elsewhere.',
        ),
    })
    .prefault({})
    .describe('Trying again, at another endpoint where there is one.'),
  dns: z
    .strictObject({ refresh: duration('30s', '1s').describe('How often host names are resolved again.') })
    .prefault({})
    .describe('Resolving the host names of endpoints.'),
});

/** One upstream's settings after defaults. */
export type UpstreamConfig = z.output<typeof upstreamConfig>;
/** One endpoint's settings after defaults. */
export type EndpointConfig = z.output<typeof endpointConfig>;
