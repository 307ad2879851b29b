/** Settings of HTTP/2 towards servers. */
import { z } from 'zod';
import { count, duration, size } from '../../kernel/schema.ts';

/** `upstreams.NAME.http2`. */
export const upstreamHttp2 = z
  .strictObject({
    streams: count(100, 1, 100_000).describe('Requests at once on one connection; the server may allow fewer.'),
    window: size('256KiB', '64KiB').describe('Bytes of one answer that may be under way or wait for the client.'),
    connectionWindow: size('16MiB', '64KiB').describe('The same for all answers of a connection.'),
    ping: duration('15s').describe(
      'While requests are under way: silence after which the server is asked whether it is there; as long again, and the connection is given up. 0: never.',
    ),
  })
  .describe(
    'The servers are spoken to in HTTP/2, as gRPC needs it: agreed on by ALPN on https, by prior knowledge on http. `{}` for the defaults.',
  );
