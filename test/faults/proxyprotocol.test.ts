/** The PROXY protocol in and out: who may speak it, what it changes, and what happens when it is wrong. */
import { equal, match } from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { ManualClock } from '../../src/kernel/clock.ts';
import { proxyHeader } from '../../src/socket/proxy/header.ts';
import { makeCertificate } from '../certificate.ts';
import { withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawPeer } from '../raw.ts';

const CLIENT = { address: '192.0.2.7', port: 4711 };
const SERVER = { address: '127.0.0.1', port: 80 };
const REQUEST = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
const FROM_HERE = { proxyProtocol: { from: ['127.0.0.1'] } };

const serve = async (peer: RawPeer) => {
  for (;;) {
    const request = await peer.read();
    await peer.send(plainResponse(request.field('x-forwarded-for') ?? ''));
  }
};

describe('PROXY protocol in', () => {
  for (const version of ['v1', 'v2'] as const) {
    test(`${version}: the address counts as the peer's, in one piece with the request or octet by octet`, async () => {
      await withServer(serve, async (server) => {
        await withGateway({ upstream: server.url, listener: FROM_HERE }, async (gateway) => {
          const bytes = Buffer.concat([proxyHeader(version, CLIENT, SERVER), Buffer.from(REQUEST)]);
          equal((await gateway.ask(bytes.toString('latin1'))).body, CLIENT.address);
          const client = await gateway.client();
          for (const octet of bytes) await client.send(Buffer.from([octet]));
          equal((await client.read()).body, CLIENT.address);
          await client.send(REQUEST);
          equal((await client.read()).body, CLIENT.address);
          client.close();
        });
      });
    });
  }

  test('a trusted hop that is named by the header is believed; the load balancer itself is not', async () => {
    await withServer(serve, async (server) => {
      const listener = { ...FROM_HERE, trustedHops: [CLIENT.address] };
      await withGateway({ upstream: server.url, listener }, async (gateway) => {
        const request = 'GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n';
        const named = await gateway.ask(proxyHeader('v1', CLIENT, SERVER).toString('latin1') + request);
        equal(named.body, `198.51.100.1, ${CLIENT.address}`);
        equal((await gateway.ask(`PROXY UNKNOWN\r\n${request}`)).body, '127.0.0.1');
      });
    });
  });

  test('what is no header, or a wrong one, is refused without a word', async () => {
    await withServer(serve, async (server) => {
      await withGateway({ upstream: server.url, listener: FROM_HERE }, async (gateway) => {
        const cases: [string, string][] = [
          [REQUEST, 'proxy_header_missing'],
          ['PROXY TCP4 1 2 3 4\r\n', 'proxy_header_invalid'],
          ['\r\n\r\n\0\r\nQUIT\n\x22\x11\0\0', 'proxy_header_invalid'],
        ];
        for (const [bytes, kind] of cases) {
          const client = await gateway.client();
          await client.send(bytes);
          await client.readToEnd();
          equal(client.received, '');
          equal(gateway.faults(kind) > 0, true, kind);
          await gateway.unharmed();
        }
      });
    });
  });

  test('who does not send one in time is refused; so is who may not send one', async () => {
    await withServer(serve, async (server) => {
      const clock = new ManualClock();
      await withGateway({ upstream: server.url, listener: FROM_HERE, clock }, async (gateway) => {
        const client = await gateway.client();
        await client.send('PROXY TCP4');
        await gateway.advance(10_100);
        await client.readToEnd();
        equal(gateway.faults('slow_proxy_header'), 1);
      });
      const proxyProtocol = { from: ['192.0.2.0/24'] };
      await withGateway({ upstream: server.url, listener: { proxyProtocol } }, async (gateway) => {
        const client = await gateway.client();
        await client.readToEnd();
        equal(gateway.faults('proxy_refused'), 1);
      });
      const others = { ...proxyProtocol, others: 'accept' as const };
      await withGateway({ upstream: server.url, listener: { proxyProtocol: others } }, async (gateway) => {
        equal((await gateway.ask(REQUEST)).body, '127.0.0.1');
        equal((await gateway.ask(`PROXY UNKNOWN\r\n${REQUEST}`)).status, 400);
      });
    });
  });

  test('before TLS, in one segment with the hello', async () => {
    const { certificate, key } = makeCertificate({ name: 'a.test' });
    const tls = { certificates: [{ certificate: 'cert', key: 'key' }] };
    await withServer(serve, async (server) => {
      const listener = { ...FROM_HERE, tls };
      await withGateway({ upstream: server.url, listener, files: { cert: certificate, key } }, async (gateway) => {
        const below = connect(gateway.port, '127.0.0.1');
        await once(below, 'connect');
        below.cork();
        below.write(proxyHeader('v2', CLIENT, SERVER));
        const socket = connectTls({
          socket: below,
          servername: 'a.test',
          ca: certificate,
          ALPNProtocols: ['http/1.1'],
        });
        setImmediate(() => below.uncork());
        await once(socket, 'secureConnect');
        socket.write(REQUEST);
        let text = '';
        while (!text.endsWith(CLIENT.address)) text += (await once(socket, 'data'))[0];
        match(text, /^HTTP\/1.1 200 /);
        socket.destroy();
        below.destroy();
      });
    });
  });
});

describe('PROXY protocol out', () => {
  test('each connection names one client, and carries only its requests', async () => {
    const seen: string[] = [];
    const play = async (peer: RawPeer, number: number) => {
      await peer.readUntil(/\r\n/);
      const line = peer.received.slice(0, peer.received.indexOf('\r\n') + 2);
      peer.received = peer.received.slice(line.length);
      seen[number] = line;
      for (;;) {
        await peer.read();
        await peer.send(plainResponse(`${number}`));
      }
    };
    await withServer(play, async (server) => {
      const pool = { idleTimeout: '1h' };
      const upstream = { endpoints: [{ url: server.url }], proxyProtocol: 'v1' as const, pool };
      await withGateway({ upstream, listener: FROM_HERE }, async (gateway) => {
        const ask = async (address: string) => {
          const header = proxyHeader('v2', { address, port: 99 }, SERVER).toString('latin1');
          return (await gateway.ask(header + REQUEST)).body;
        };
        equal(await ask('192.0.2.1'), '0');
        equal(await ask('192.0.2.2'), '1');
        equal(await ask('192.0.2.1'), '0');
        equal(await ask('192.0.2.2'), '1');
        equal(seen[0], `PROXY TCP4 192.0.2.1 127.0.0.1 99 ${server.port}\r\n`);
        equal(seen[1], `PROXY TCP4 192.0.2.2 127.0.0.1 99 ${server.port}\r\n`);
      });
    });
  });

  test('where no further connection may be opened, one that waits for another client gives place', async () => {
    await withServer(
      async (peer) => {
        await peer.readUntil(/\r\n\r\n/);
        peer.received = peer.received.slice(28);
        for (;;) {
          await peer.read();
          await peer.send(plainResponse());
        }
      },
      async (server) => {
        const upstream = { endpoints: [{ url: server.url }], proxyProtocol: 'v2' as const, pool: { connections: 1 } };
        await withGateway({ upstream, listener: FROM_HERE }, async (gateway) => {
          for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
            const header = proxyHeader('v2', { address, port: 99 }, SERVER).toString('latin1');
            equal((await gateway.ask(header + REQUEST)).status, 200, address);
          }
        });
      },
    );
  });
});
