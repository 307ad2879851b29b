/** Settings of the upstreams: which servers answer, how load is spread, and how long we wait. */
import { z } from 'zod';
import { tokenizerSetting } from '../ai/config.ts';
import { count, duration, name, percent, size } from '../kernel/schema.ts';
import { hedgingConfig } from './hedging.ts';
import { upstreamHttp2 } from './http2/config.ts';
import { adaptiveConfig, maxConcurrency, queueConfig } from './queue/config.ts';

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
  maxConcurrency,
  zone: name
    .optional()
    .describe("Availability zone; endpoints in the gateway's own `zone` come first. Unset: as near as can be."),
  region: name.optional().describe("Region; endpoints in the gateway's own `region` come before those elsewhere."),
  level: z
    .number()
    .int()
    .min(0)
    .max(100)
    .optional()
    .describe(
      'Priority level, 0 first: a higher one is used only as far as the lower ones cannot carry the load. Within a level, nearer endpoints come first.',
    ),
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
    grpc: z
      .string()
      .regex(/^[\w./-]*$/, 'expected the name of a service, or an empty text for the server as a whole')
      .optional()
      .describe('Asks grpc.health.v1.Health for this service instead of `path`; needs `http2`.'),
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

/** `upstreams.NAME.agent`. */
export const agentConfig = z
  .strictObject({
    port: z.number().int().min(1).max(65_535).describe('Port on which the agent answers.'),
    host: z.string().min(1).optional().describe("Host of the agent; the endpoint's own when left out."),
    interval: duration('2s', '100ms').describe('Between two questions to one agent.'),
    timeout: duration('1s', '1ms').describe('How long an agent may take.'),
    send: z.string().max(1024).default('').describe('What is sent to the agent once the connection stands.'),
  })
  .describe(
    "Agent checks as HAProxy's: a program beside the server that answers each connection with one line, such as 75%, maxconn:30, drain, ready, down or up.",
  );

/** `upstreams.NAME.breaker`. */
export const breakerConfig = z
  .strictObject({
    consecutiveTimeouts: count(5).describe('Opens after this many timeouts in a row; 0: never by this.'),
    consecutiveErrors: count(0).describe(
      'Opens after this many failures (5xx, broken answers, timeouts) in a row; 0: never by this.',
    ),
    errorRatio: percent('0%').describe('Opens when this share of the requests in the window has failed; 0%: never.'),
    slowRatio: percent('0%').describe('Opens when this share of the answers in the window was slow; 0%: never.'),
    slowAfter: duration('10s', '1ms').describe('An answer is slow when its head took this long.'),
    window: duration('10s', '100ms').describe('Over which time the shares are taken.'),
    minRequests: count(20, 1).describe('Requests in the window before a share means anything.'),
    openFor: duration('30s', '10ms').describe('How long it stays open before one request may probe the endpoint.'),
  })
  .describe(
    'Circuit breaker of each endpoint, shared by all workers: open, it lets nothing through; then one probe decides.',
  );

/** `upstreams.NAME.passive.successRate`. */
export const successRateConfig = z
  .strictObject({
    minHosts: count(5, 2).describe('Endpoints with enough requests, before they are compared.'),
    minRequests: count(100, 1).describe('Requests of one endpoint in an interval, before it counts.'),
    stdevFactor: z
      .number()
      .min(0)
      .max(100)
      .default(1.9)
      .describe('Out is who succeeds less often than the mean minus this many standard deviations.'),
  })
  .describe('Ejection of endpoints whose success rate lies far below that of the others.');

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
    perTry: duration('0').describe('One try, from its connection to its response head; then another one. 0: none.'),
    firstToken: duration('0').describe('A stream: from the try to the first generated content. 0: no such limit.'),
    betweenTokens: duration('0').describe('A stream: between two pieces of generated content. 0: no such limit.'),
    idle: duration('30s', '1ms').describe('Between two reads of the response body.'),
    total: duration('10m', '1ms').describe('The whole exchange.'),
    tunnel: duration('1h', '1ms').describe('A tunnel (WebSocket) in which no byte moves.'),
  })
  .prefault({})
  .describe('How long the servers may take.');

/** `upstreams.NAME.levels`: how load moves between levels. */
export const levelsConfig = z
  .strictObject({
    overprovisioning: z
      .number()
      .min(1)
      .max(10)
      .default(1.4)
      .describe(
        "How much more than its share a level can carry. At 1.4 a level passes load on when less than 1/1.4 = 71 % of it is healthy (Envoy's overprovisioning factor).",
      ),
    failBackAfter: duration('10s').describe('How long a level must have been better before it gets its load back.'),
    failBackRise: percent('10%').describe(
      'By how much its healthy share must have risen for that; a level that is wholly healthy always gets it back.',
    ),
  })
  .prefault({})
  .describe('How load moves between levels: explicit ones, and those that zones and regions make.');

/** `upstreams.NAME`. */
export const upstreamConfig = z.strictObject({
  protocol: z.enum(['openai', 'anthropic', 'http']).default('http').describe('API that the servers speak.'),
  tokenizer: tokenizerSetting.describe(
    'Counts tokens where the servers report none: as `models.NAME.tokenizer`, for models that have none of their own.',
  ),
  balance: balanceConfig,
  endpoints: z.array(endpointConfig).min(1, 'expected at least one endpoint').describe('The servers.'),
  levels: levelsConfig,
  host: z
    .string()
    .default('endpoint')
    .describe("Host field sent upstream: `endpoint` (the URL's), `preserve` (the client's), or a literal name."),
  http2: upstreamHttp2.optional(),
  proxyProtocol: z
    .enum(['v1', 'v2'])
    .optional()
    .describe(
      'Connections begin with a PROXY header of this version that names the client; each then carries requests of one client address only.',
    ),
  tls: upstreamTls,
  health: healthConfig.optional(),
  agent: agentConfig.optional(),
  breaker: breakerConfig.optional(),
  passive: z
    .strictObject({
      consecutiveErrors: count(5, 1).describe(
        'Failed connections or broken answers in a row before an endpoint is taken out.',
      ),
      consecutive5xx: count(0).describe('Answers of 5xx (or failures) in a row before it is taken out; 0: never.'),
      consecutiveGatewayErrors: count(5).describe(
        'Answers of 502, 503 or 504 (or failures) in a row before it is taken out; 0: never.',
      ),
      successRate: successRateConfig.optional(),
      interval: duration('10s', '100ms').describe('How often success rates are compared, and ejections forgiven.'),
      ejectFor: duration('10s', '1ms').describe('How long it stays out, times the number of its ejections.'),
      maxEjectFor: duration('5m').describe('How long it stays out at most.'),
      liftedByProbe: z
        .boolean()
        .default(true)
        .describe(
          'Whether a good active health check ends an ejection. Switch it off where the checked path works while requests fail.',
        ),
      maxEjected: percent('50%').describe('At most this share of the endpoints is out at once.'),
    })
    .prefault({})
    .describe('Passive marking by what real requests meet.'),
  panicThreshold: percent('0%').describe(
    'When fewer than this share of the endpoints is available, health and ejections are disregarded and all are used; 0%: never. With levels, for each of them, while they cannot carry the load together.',
  ),
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
        'Retries under way, as a share of the requests under way (at least 3 are allowed). Requests that end well save up the same share, to 100, for servers that die. Tries that found no connection cost nothing.',
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
      statuses: z
        .array(z.number().int().min(400).max(599))
        .default([])
        .describe(
          'Answers that are thrown away for another try, such as [429, 502, 503, 504]. 429 and 503 say that nothing was done; for the others the request must be safe to send twice.',
        ),
      backoff: z
        .strictObject({
          base: duration('25ms', '1ms').describe('First pause; doubles with each retry, and is drawn from 0 to that.'),
          max: duration('1s', '1ms').describe(
            'Longest pause; who asks by Retry-After for a longer one is not waited for.',
          ),
        })
        .prefault({})
        .describe('Pauses before a retry that cannot go to an endpoint not tried yet, and before all but the first.'),
    })
    .prefault({})
    .describe('Trying again, at another endpoint where there is one.'),
  hedging: hedgingConfig.optional(),
  queue: queueConfig,
  adaptive: adaptiveConfig.optional(),
  keepAliveComments: duration('0').describe(
    'Silence after which an event stream gets a comment, so that nobody before us takes it for dead; 0: none.',
  ),
  dns: z
    .strictObject({ refresh: duration('30s', '1s').describe('How often host names are resolved again.') })
    .prefault({})
    .describe('Resolving the host names of endpoints.'),
});

/** One upstream's settings after defaults. */
export type UpstreamConfig = z.output<typeof upstreamConfig>;
/** One endpoint's settings after defaults. */
export type EndpointConfig = z.output<typeof endpointConfig>;
