/** Connections kept to the servers: their limits and their end; names that change or fail; unix sockets. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { startSimulator } from '../../src/simulate/simulate.ts';
import { assertRefusal, type InProcessOptions, until, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawPeer } from '../raw.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const serve = async (peer: RawPeer) => {
  for (;;) {
    await peer.read();
    await peer.send(plainResponse());
  }
};

test('pool.connections: more than that are 503 with Retry-After, until one is free', () =>
  withServer(
    () => {},
    (server) =>
      withGateway(
        { upstream: { endpoints: [{ url: server.url }], pool: { connections: 2, idleTimeout: '1h' } } },
        async (gateway) => {
          const clients = await Promise.all([gateway.client(), gateway.client()]);
          for (const client of clients) await client.send(GET);
          await server.connection(1);
          const answer = await gateway.ask(GET);
          assertRefusal(answer, {
            status: 503,
            code: 'overloaded',
            proxyError: 'connection_limit_reached',
            close: false,
          });
          ok(Number(answer.field('retry-after')) >= 1);
          for (const peer of server.connections) await peer.send(plainResponse());
          for (const client of clients) equal((await client.read()).status, 200);
          const again = gateway.ask(GET);
          await until('the request', () => server.connections.some((peer) => peer.received.split('GET').length > 2));
          for (const peer of server.connections) await peer.send(plainResponse());
          // The other connection was idle and got an answer to nothing: it is thrown away.
          equal((await again).status, 200);
          await until('the count', () => gateway.faults('bytes_after_response') === 1);
          for (const client of clients) client.close();
          await gateway.unharmed();
        },
      ),
  ));

test('pool.connections: a server that is full is passed by while another has room', () =>
  withServer(
    () => {},
    (one) =>
      withServer(
        () => {},
        (two) => {
          const upstream: Exclude<InProcessOptions['upstream'], string> = {
            balance: { policy: 'hash', on: 'path', boundedLoad: '100%' },
            endpoints: [{ url: one.url }, { url: two.url }],
            pool: { connections: 1 },
          };
          return withGateway({ upstream }, async (gateway) => {
            const clients = await Promise.all([gateway.client(), gateway.client()]);
            for (const client of clients) await client.send(GET);
            await Promise.all([one.connection(0), two.connection(0)]);
            const answer = await gateway.ask(GET);
            assertRefusal(answer, { status: 503, code: 'overloaded', close: false });
            for (const server of [one, two]) await server.connections[0]?.send(plainResponse());
            for (const client of clients) {
              equal((await client.read()).status, 200);
              client.close();
            }
          });
        },
      ),
  ));

test('pool.idle: so many idle connections are kept, and no more', () =>
  withServer(
    () => {},
    (server) =>
      withGateway(
        { upstream: { endpoints: [{ url: server.url }], pool: { idle: 1, idleTimeout: '1h' } } },
        async (gateway) => {
          const clients = await Promise.all([gateway.client(), gateway.client(), gateway.client()]);
          for (const client of clients) await client.send(GET);
          await server.connection(2);
          for (const peer of server.connections) await peer.send(plainResponse());
          for (const client of clients) equal((await client.read()).status, 200);
          await until(
            'two to close',
            () => server.connections.filter((peer) => peer.ending !== undefined).length === 2,
          );
          for (const client of clients) client.close();
        },
      ),
  ));

test('pool.idleTimeout: an idle connection is closed after its time', () =>
  withServer(serve, (server) =>
    withGateway(
      { upstream: { endpoints: [{ url: server.url }], pool: { idleTimeout: '4s' } }, clock: new ManualClock() },
      async (gateway) => {
        equal((await gateway.ask(GET)).status, 200);
        await gateway.advance(3900);
        equal((await gateway.ask(GET)).status, 200);
        equal(server.connections.length, 1, 'used again');
        await gateway.advance(4100);
        equal(await (server.connections[0] as RawPeer).readToEnd(), 'end');
        equal((await gateway.ask(GET)).status, 200);
        equal(server.connections.length, 2);
      },
    ),
  ));

test("a server's Keep-Alive hint shortens that time", () =>
  withServer(
    async (peer) => {
      for (;;) {
        await peer.read();
        await peer.send(plainResponse('ok', 'Keep-Alive: timeout=2\r\n'));
      }
    },
    (server) =>
      withGateway({ upstream: server.url, clock: new ManualClock() }, async (gateway) => {
        await gateway.ask(GET);
        await gateway.advance(1100);
        await (server.connections[0] as RawPeer).readToEnd();
      }),
  ));

test('requestsPerConnection, on both sides', () =>
  withServer(serve, (server) =>
    withGateway(
      {
        upstream: { endpoints: [{ url: server.url }], pool: { requestsPerConnection: 2 } },
        listener: { limits: { requestsPerConnection: 3 } },
      },
      async (gateway) => {
        const client = await gateway.client();
        await client.send(GET + GET + GET + GET);
        const answers = await client.readMany(3);
        deepEqual(
          answers.map((answer) => answer.field('connection')),
          [undefined, undefined, 'close'],
        );
        equal(await client.readToEnd(), 'end');
        equal(client.received, '');
        equal(server.connections.length, 2);
        client.close();
        await gateway.unharmed();
      },
    ),
  ));

test('limits.connections: further clients are closed at once, and counted', () =>
  withServer(serve, (server) =>
    withGateway({ upstream: server.url, listener: { limits: { connections: 1 } } }, async (gateway) => {
      const first = await gateway.client();
      await first.send(GET);
      equal((await first.read()).status, 200);
      const second = await gateway.client();
      await second.readToEnd();
      equal(second.received, '');
      equal(gateway.faults('too_many_connections'), 1);
      second.close();
      await first.send(GET);
      equal((await first.read()).status, 200);
      first.close();
      await gateway.unharmed();
    }),
  ));

test('row 34: a name that was never resolved is 502, and not this machine; later it is found', () =>
  withServer(serve, async (server) => {
    const clock = new ManualClock();
    let addresses: string[] | undefined;
    const lookup = async () => {
      if (addresses === undefined) throw new Error('SERVFAIL');
      return addresses;
    };
    const upstream = { endpoints: [{ url: `http://model.example:${server.port}` }] };
    await withGateway({ upstream, clock, lookup }, async (gateway) => {
      const answer = await gateway.ask(GET);
      assertRefusal(answer, { status: 502, code: 'upstream_dns', proxyError: 'dns_error', close: false });
      ok(gateway.faults('dns_failed') === 1 && gateway.faults('upstream_dns') > 0);
      equal(server.connections.length, 0);
      addresses = ['127.0.0.1'];
      await gateway.advance(30_000);
      await gateway.unharmed();
      equal((await gateway.ask(GET)).status, 200);
      addresses = undefined;
      await gateway.advance(30_000);
      await gateway.unharmed();
      equal((await gateway.ask(GET)).status, 200, 'the last good addresses are kept');
      equal(gateway.faults('dns_failed'), 2);
    });
  }));

test('row 34: addresses that a name has no more drain: a stream goes on, new requests go elsewhere', () =>
  withServer(
    async (peer, number) => {
      if (number === 0) {
        await peer.read();
        await peer.send(plainResponse('first'));
      }
    },
    async (server) => {
      const clock = new ManualClock();
      let addresses = ['127.0.0.1'];
      const upstream = {
        endpoints: [{ url: `http://model.example:${server.port}` }],
        pool: { idleTimeout: '1h' },
        timeouts: { idle: '1h' },
        retries: { attempts: 1 },
      };
      await withGateway({ upstream, clock, lookup: async () => addresses }, async (gateway) => {
        const client = await gateway.client();
        await client.send(GET);
        equal((await client.read()).body, 'first');
        await client.send(GET);
        const peer = await server.connection(0);
        await peer.read();
        await peer.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none');
        await client.readUntil('one');
        addresses = ['127.0.0.2'];
        await gateway.advance(30_000);
        await gateway.unharmed();
        // Nobody listens at the new address.
        const elsewhere = await gateway.ask(GET);
        equal(elsewhere.status, 502, elsewhere.raw);
        await peer.send('two');
        equal((await client.read()).body, 'onetwo');
        equal(await peer.readToEnd(), 'end', 'and is not kept');
        client.close();
      });
    },
  ));

test('several addresses of a name are taken in turn, and one that is dead is passed by', () =>
  withServer(serve, (server) =>
    withGateway(
      {
        upstream: {
          endpoints: [{ url: `http://model.example:${server.port}` }],
          pool: { idle: 0 },
          retries: { attempts: 2 },
        },
        lookup: async () => ['127.0.0.2', '127.0.0.1'],
      },
      async (gateway) => {
        for (let i = 0; i < 6; i++) equal((await gateway.ask(GET)).status, 200);
        ok(gateway.faults('upstream_refused') > 0);
      },
    ),
  ));

test('unix sockets, and one where nobody listens', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-pool-'));
  const socketPath = join(folder, 's.sock');
  const simulator = await startSimulator({ socketPath });
  await withGateway(
    { upstream: { endpoints: [{ url: `unix:${socketPath}` }], retries: { attempts: 1 } } },
    async (gateway) => {
      const ask = 'GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n';
      equal((await gateway.ask(ask)).status, 200);
      equal((await gateway.ask(ask)).status, 200);
      equal(simulator.state().connectionsTotal, 1);
      const cut = await gateway.client();
      await cut.send(ask.replace('Host: a', 'Host: a\r\nx-simulate: body-cut'));
      equal(await cut.readToEnd(), 'end');
      cut.close();
      await simulator.close();
      assertRefusal(await gateway.ask(ask), { status: 502, code: 'upstream_refused', close: false });
      await gateway.unharmed();
    },
  );
  rmSync(folder, { recursive: true, force: true });
});
