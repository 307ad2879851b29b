/** Settings of HTTP/2 on a listener. */
import { z } from 'zod';
import { count, duration, size } from '../../kernel/schema.ts';

/** `listeners.NAME.http2.floods`: what a client may make a connection do for nothing. */
const floods = z
  .strictObject({
    per: duration('10s', '100ms').describe('Over which time the following are counted, on each connection.'),
    resets: count(200, 1).describe('Streams that the client resets, or that its mistakes make us reset.'),
    control: count(500, 1).describe(
      'PING, SETTINGS, PRIORITY, WINDOW_UPDATE and unknown frames, each; what the traffic itself brings about is not counted.',
    ),
    empty: count(100, 1).describe('Frames that carry nothing and end nothing.'),
    continuations: count(32, 1).describe('Frames of one header block.'),
  })
  .prefault({})
  .describe('What is more than this ends the connection with GOAWAY (ENHANCE_YOUR_CALM).');

/** `listeners.NAME.http2`. */
export const http2Config = z
  .strictObject({
    streams: count(128, 1, 100_000).describe('Requests at once on one connection.'),
    window: size('256KiB', '64KiB').describe(
      'Bytes of one request body that may be under way or wait for the upstream.',
    ),
    connectionWindow: size('1MiB', '64KiB').describe(
      'The same for all requests of a connection: the most memory that it takes for bodies.',
    ),
    floods,
  })
  .prefault({})
  .describe('HTTP/2, where `protocols` names it.');

/** Settings after defaults. */
export type Http2Config = z.output<typeof http2Config>;
