/** HTTP/2 with TLS towards servers: agreed on by ALPN or refused, behind a PROXY header that goes before TLS; and what is counted. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { makeCertificate } from '../certificate.ts';
import { startGateway } from '../gateway.ts';
import { withGateway } from '../inprocess.ts';

const own = makeCertificate({ name: 'Own CA', authority: true });
const { certificate: cert, key } = makeCertificate({ name: 'backend', hosts: ['127.0.0.1'], issuer: own });
const files = { ca: own.certificate };
const GET = 'GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n';

const portOf = (server: Server | Http2SecureServer) => (server.address() as AddressInfo).port;

/** A server that speaks HTTP/2, or HTTP/1.1 where that is agreed on, and says which. */
async function startBackend(t: TestContext) {
  const server = createSecureServer({ cert, key, allowHTTP1: true });
  t.after(() => server.close());
  server.on('request', (request, response) => {
    const { httpVersion, url } = request;
    response.end(`${httpVersion} ${url}`);
  });
  server.on('error', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

/** Takes the PROXY header off each connection, keeps it, and passes the rest on. */
async function startUnwrapper(t: TestContext, to: number, headers: Buffer[]): Promise<Server> {
  const server = createTcpServer((client) => {
    client.on('error', () => {});
    client.once('data', (first) => {
      const length = first[0] === 0x0d ? 16 + first.readUInt16BE(14) : first.indexOf('\r\n') + 2;
      headers.push(first.subarray(0, length));
      const inner = connectTcp(to, '127.0.0.1');
      inner.on('error', () => client.destroy());
      inner.write(first.subarray(length));
      client.pipe(inner).pipe(client);
    });
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

describe('servers with TLS', () => {
  test('HTTP/2 is agreed on by ALPN, for requests of either version', async (t) => {
    const server = await startBackend(t);
    const upstream = { endpoints: [{ url: `https://127.0.0.1:${portOf(server)}` }], tls: { ca: 'ca' }, http2: {} };
    const listener = { protocols: ['http1' as const, 'http2' as const] };
    await withGateway({ upstream, listener, files }, async (gateway) => {
      equal((await gateway.ask(GET)).body, '2.0 /x');
      const client = connectHttp2(`http://127.0.0.1:${gateway.port}`);
      for (let i = 0; i < 3; i++) {
        const request = client.request({ ':path': `/${i}` });
        let body = '';
        for await (const part of request) body += part;
        equal(body, `2.0 /${i}`);
      }
      client.close();
      await once(client, 'close');
      await gateway.unharmed();
    });
  });

  test('a server that does not agree on it is told as such, and nothing else is spoken to it', async (t) => {
    const server = createHttps({ cert, key }, (_request, response) => response.end('nobody asked for this'));
    t.after(() => server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const upstream = {
      endpoints: [{ url: `https://127.0.0.1:${portOf(server)}` }],
      tls: { ca: 'ca' },
      http2: {},
      retries: { attempts: 1 },
    };
    await withGateway({ upstream, files }, async (gateway) => {
      const { status, body, raw } = await gateway.ask(GET);
      equal(status, 502, raw);
      match(body, /the server does not speak HTTP\/2/);
      ok(gateway.faults('upstream_tls') > 0, JSON.stringify(gateway.counted()));
      await gateway.unharmed();
    });
  });

  for (const proxyProtocol of ['v1', 'v2'] as const) {
    for (const version of ['HTTP/1.1', 'HTTP/2'] as const) {
      test(`a PROXY header (${proxyProtocol}) goes before TLS, with ${version}`, async (t) => {
        const server = await startBackend(t);
        const headers: Buffer[] = [];
        const before = await startUnwrapper(t, portOf(server), headers);
        const upstream = {
          endpoints: [{ url: `https://127.0.0.1:${portOf(before)}` }],
          tls: { ca: 'ca' },
          proxyProtocol,
          pool: { idleTimeout: '1h' },
          ...(version === 'HTTP/2' && { http2: {} }),
        };
        await withGateway({ upstream, files }, async (gateway) => {
          for (let i = 0; i < 3; i++) match((await gateway.ask(GET)).body, version === 'HTTP/2' ? /^2\.0/ : /^1\.1/);
          equal(headers.length, 1, 'one connection for one client address');
          const [header] = headers as [Buffer];
          if (proxyProtocol === 'v1') match(header.toString(), /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n$/);
          else {
            deepEqual([...header.subarray(12, 14)], [0x21, 0x11], 'PROXY over TCP4');
            deepEqual([...header.subarray(16, 24)], [127, 0, 0, 1, 127, 0, 0, 1]);
          }
          await gateway.unharmed();
        });
      });
    }
  }
});

test('connections and streams of HTTP/2 and TLS handshakes are counted', { timeout: 180_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-h2-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  const server = createTcpServer((socket) => socket.on('error', () => {}));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const certificates = [{ certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }];
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0', tls: { certificates } } },
    upstreams: { main: { endpoints: [{ url: `http://127.0.0.1:${portOf(server)}` }] } },
    routes: [{ name: 'all', upstream: 'main' }],
  });
  t.after(() => gateway.stop());
  const client = connectHttp2(`https://127.0.0.1:${gateway.port}`, { ca: own.certificate });
  const requests = [1, 2, 3].map(() => client.request({ ':path': '/' }).on('error', () => {}));
  await gateway.metricReaches('gatehouse_http2_connections_open{listener="public"}', 1);
  await gateway.metricReaches('gatehouse_http2_streams_open{listener="public"}', 3);
  equal(await gateway.metric('gatehouse_tls_handshakes_total{version="TLSv1.3",resumed="no"}'), 1);
  for (const request of requests) request.close();
  client.close();
  const gone = async () =>
    (await gateway.metric('gatehouse_http2_connections_open')) + (await gateway.metric('gatehouse_http2_streams_open'));
  for (let i = 0; (await gone()) > 0; i++) {
    ok(i < 1200, await gateway.metrics());
    await new Promise((done) => setTimeout(done, 50));
  }
});
