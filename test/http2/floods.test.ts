/** FAULTS row 23: what costs the client nothing and us much ends in GOAWAY (ENHANCE_YOUR_CALM); nobody else is harmed. */
import { equal } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FLAG, FRAME, frame, H2, SETTING } from '../../src/http/http2/frame.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { withGateway, withServer } from '../inprocess.ts';
import { plainResponse } from '../raw.ts';
import { block, data, type FrameClient, frameClient, GET, headers, POST, uint32 } from './frames.ts';

const odd = (n: number) => 2 * n + 1;
const many = (count: number, make: (i: number) => Buffer) => Array.from({ length: count }, (_, i) => make(i));

interface Flood {
  kind: string;
  /** What is harmless is sent first and must pass. */
  few?: (client: FrameClient) => Promise<void>;
  flood: (client: FrameClient) => Promise<void>;
}

const BOMB = Buffer.concat([
  block(GET),
  // A field of 3 KiB that goes into the table, and then is named by one octet again and again.
  Buffer.from([0x40, 1, 0x78, 0x7f, 0x81, 0x17]),
  Buffer.alloc(3072, 'b'),
  Buffer.alloc(4000, 0xbe),
]);

const FLOODS: Record<string, Flood> = {
  'rapid reset (CVE-2023-44487)': {
    kind: 'h2_rapid_reset',
    flood: (client) =>
      client.send(
        ...many(300, (i) =>
          Buffer.concat([headers(odd(i), GET), frame(FRAME.RST_STREAM, 0, odd(i), uint32(H2.CANCEL))]),
        ),
      ),
  },
  'streams that we are made to reset (CVE-2025-8671)': {
    kind: 'h2_rapid_reset',
    flood: (client) =>
      client.send(
        ...many(300, (i) =>
          Buffer.concat([headers(odd(i), POST, false), frame(FRAME.WINDOW_UPDATE, 0, odd(i), uint32(0))]),
        ),
      ),
  },
  'malformed requests': {
    kind: 'h2_rapid_reset',
    flood: (client) => client.send(...many(300, (i) => headers(odd(i), [...GET, ['connection', 'x']]))),
  },
  PING: {
    kind: 'h2_ping_flood',
    few: async (client) => {
      await client.send(...many(400, () => frame(FRAME.PING, 0, 0, Buffer.alloc(8))));
      await client.frame(FRAME.PING);
    },
    flood: (client) => client.send(...many(200, () => frame(FRAME.PING, 0, 0, Buffer.alloc(8)))),
  },
  SETTINGS: {
    kind: 'h2_settings_flood',
    flood: (client) => client.send(...many(600, () => frame(FRAME.SETTINGS, 0, 0))),
  },
  PRIORITY: {
    kind: 'h2_priority_flood',
    flood: (client) => client.send(...many(600, () => frame(FRAME.PRIORITY, 0, 1, Buffer.alloc(5)))),
  },
  WINDOW_UPDATE: {
    kind: 'h2_window_update_flood',
    flood: (client) => client.send(...many(600, () => frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(1)))),
  },
  'frames of unknown types': {
    kind: 'h2_unknown_frame_flood',
    flood: (client) => client.send(...many(600, () => frame(0x42, 0, 0, Buffer.alloc(4)))),
  },
  'DATA without data': {
    kind: 'h2_empty_frame_flood',
    flood: (client) => client.send(headers(1, POST, false), ...many(200, () => data(1, ''))),
  },
  'CONTINUATION without end (CVE-2024-27316)': {
    kind: 'h2_continuation_flood',
    flood: (client) =>
      client.send(
        frame(FRAME.HEADERS, FLAG.END_STREAM, 1, block(GET)),
        ...many(100, () => frame(FRAME.CONTINUATION, 0, 1, block([['a', 'b']]))),
      ),
  },
  'CONTINUATION without content': {
    kind: 'h2_empty_frame_flood',
    flood: (client) =>
      client.send(
        frame(FRAME.HEADERS, FLAG.END_STREAM, 1, block(GET)),
        ...many(200, () => frame(FRAME.CONTINUATION, 0, 1)),
      ),
  },
  'a header bomb': {
    kind: 'h2_header_bomb',
    flood: (client) => client.send(frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, BOMB)),
  },
};

describe('floods', () => {
  for (const [name, { kind, few, flood }] of Object.entries(FLOODS)) {
    test(name, async () => {
      await withServer(
        () => {},
        async (server) => {
          const continuations = name.includes('without content') ? 1000 : 32;
          const listener = { protocols: ['http2' as const], http2: { floods: { continuations } } };
          // What may come in a while is counted: none of it may pass.
          await withGateway({ upstream: server.url, listener, clock: new ManualClock() }, async (gateway) => {
            const other = await frameClient(gateway);
            await other.send(headers(1, GET));
            await gateway.until('the request of another', () => gateway.worker.underWay === 2);
            const client = await frameClient(gateway);
            await few?.(client);
            equal(gateway.faults(kind), 0, JSON.stringify(gateway.counted()));
            await flood(client).catch(() => {});
            equal(await client.goaway(), H2.ENHANCE_YOUR_CALM);
            equal(gateway.faults(kind), 1, JSON.stringify(gateway.counted()));
            await gateway.unharmed();
            equal(gateway.worker.underWay, 2, 'what it had asked for is given up, and only that');
            await other.send(headers(3, GET));
            await gateway.until('the next one', () => gateway.worker.underWay === 3);
            client.close();
            other.close();
          });
        },
      );
    });
  }

  test('what the traffic brings about is no flood', async () => {
    await withServer(
      async (peer) => {
        for (;;) {
          await peer.read();
          await peer.send(plainResponse('x'.repeat(50_000)));
        }
      },
      async (server) => {
        const listener = { protocols: ['http2' as const] };
        await withGateway({ upstream: server.url, listener }, async (gateway) => {
          const client = await frameClient(gateway);
          for (let i = 0; i < 200; i++) {
            await client.send(headers(odd(i), GET));
            await client.body(odd(i));
            await client.send(
              ...many(8, () => frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(6250))),
              frame(FRAME.PING, 0, 0, Buffer.alloc(8)),
            );
          }
          equal(Object.keys(gateway.counted()).length, 0, JSON.stringify(gateway.counted()));
          client.close();
        });
      },
    );
  });

  test('a window that never opens: the stream ends in time, the others go on; the connection, when none can', async () => {
    await withServer(
      async (peer) => {
        for (;;) {
          await peer.read();
          await peer.send(plainResponse('x'.repeat(100_000)));
        }
      },
      async (server) => {
        const clock = new ManualClock();
        const listener = { protocols: ['http2' as const], timeouts: { write: '5s' } };
        await withGateway({ upstream: server.url, listener, clock }, async (gateway) => {
          const stream = await frameClient(gateway, [[SETTING.INITIAL_WINDOW_SIZE, 10]]);
          await stream.send(headers(1, GET));
          await stream.frame(FRAME.DATA, 1);
          await gateway.advance(5100);
          equal(await stream.reset(1), H2.ENHANCE_YOUR_CALM);
          equal(gateway.faults('slow_reader'), 1);
          const connection = await frameClient(gateway);
          await connection.send(headers(1, GET));
          await gateway.until('all that may be sent', () => {
            connection.look();
            return (
              connection.frames.reduce((sum, { type, payload }) => sum + (type === 0 ? payload.length : 0), 0) ===
              65_535
            );
          });
          await gateway.advance(5100);
          equal(await connection.goaway(), H2.ENHANCE_YOUR_CALM);
          equal(gateway.faults('slow_reader'), 2);
          stream.close();
          connection.close();
        });
      },
    );
  });
});
