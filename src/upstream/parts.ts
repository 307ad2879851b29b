/** What upstreams are given from outside. */
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import type { Deadlines } from '../socket/deadlines.ts';
import type { Dial } from '../socket/dial.ts';
import type { Home } from './balance/levels.ts';
import type { UpstreamConfig } from './config.ts';
import type { Queues } from './queue/queue.ts';
import type { Lookup } from './resolve.ts';
import type { AskProbe } from './standing.ts';

/** See the file's head. */
export interface UpstreamParts {
  clock: Clock;
  events: Events;
  deadlines: Deadlines;
  /** Text of a file that the configuration names. */
  readText: (path: string) => string;
  /** Resolver for host names; the system's when left out. */
  lookup?: Lookup;
  /** Where this gateway stands; nowhere in particular when left out. */
  home?: Home;
  /** Connects; real sockets when left out. */
  dial?: Dial;
  /** Whom to ask before a breaker's probe; nobody when left out. */
  askProbe?: AskProbe | undefined;
  /** Places at servers, and who waits for them; without it nothing waits. */
  queues?: Queues;
}

/** TLS settings towards an upstream's endpoints. `readText` throws for a file that was not read. */
export function tlsOptions(config: UpstreamConfig, readText: (path: string) => string): TlsOptions {
  const { tls } = config;
  const options: TlsOptions = { rejectUnauthorized: tls.verify };
  if (tls.ca !== undefined) options.ca = readText(tls.ca);
  if (tls.serverName !== undefined) options.servername = tls.serverName;
  if (tls.certificate !== undefined) options.cert = readText(tls.certificate);
  if (tls.key !== undefined) options.key = readText(tls.key);
  return options;
}
