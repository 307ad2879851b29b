/** What endpoints are given, and what follows from the settings. */
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { ChunkedLimits } from '../http/chunked.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import type { Deadlines } from '../socket/deadlines.ts';
import type { Dial } from '../socket/dial.ts';
import type { UpstreamConfig } from './config.ts';
import type { Lookup } from './resolve.ts';
import type { AskProbe } from './standing.ts';

/** What all endpoints of an upstream share. */
export interface EndpointParts {
  clock: Clock;
  events: Events;
  deadlines: Deadlines;
  lookup: Lookup;
  dial: Dial;
  tls: TlsOptions;
  askProbe: AskProbe | undefined;
  /** Whether one more endpoint may be ejected now. */
  mayEject(): boolean;
  /** Availability or weight has changed. */
  changed(): void;
}

/** What is read of one response at most. */
export function bodyLimits({ limits }: UpstreamConfig): ChunkedLimits {
  return {
    body: Number.POSITIVE_INFINITY,
    chunkExtensions: 1 << 20,
    trailers: limits.head,
    fields: limits.fields,
  };
}
