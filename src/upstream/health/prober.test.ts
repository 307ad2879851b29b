import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock, systemClock } from '../../kernel/clock.ts';
import type { EndpointEvent } from '../../kernel/event.ts';
import { endpointName } from '../address.ts';
import { upstreamConfig } from '../config.ts';
import type { ProbeResult, ProbeTarget } from './probe.ts';
import { probe } from './probe.ts';
import { Prober } from './prober.ts';

const upstream = (over: object = {}, urls = ['http://a:1', 'http://b:1']) =>
  upstreamConfig.parse({ endpoints: urls.map((url) => ({ url })), health: { interval: '10s', ...over } });

/** Probes that a script answers, 50 ms after they were sent. */
function scripted(good: (url: string) => boolean) {
  const clock = new ManualClock();
  const changes: EndpointEvent[] = [];
  const cleared: number[] = [];
  const sent: { at: number; target: ProbeTarget }[] = [];
  const prober = new Prober(
    clock,
    (change) => changes.push(change),
    () => cleared.push(clock.now()),
    (target, _, done) => {
      sent.push({ at: clock.now(), target });
      const ok = good(target.url);
      const timer = clock.after(50, () => done({ good: ok, reason: ok ? 'status 200' : 'status 503', tookMs: 50 }));
      return () => timer.cancel();
    },
  );
  return { clock, changes, cleared, sent, prober };
}

const brief = (changes: EndpointEvent[]) => changes.map((c) => `${c.endpoint} ${c.healthy ? 'up' : 'down'}`);

test('prober: asks every endpoint about once an interval, not in step, and reports verdicts', () => {
  const down = new Set(['http://b:1']);
  const { clock, changes, sent, prober } = scripted((url) => !down.has(url));
  prober.update({ u: upstream() }, {});
  assert.deepEqual(prober.states(), []);
  clock.advance(1100);
  assert.deepEqual(brief(changes).sort(), ['a:1 up', 'b:1 down']);
  assert.notEqual(sent[0]!.at, sent[1]!.at);
  clock.advance(100_000);
  assert.ok(sent.length >= 19 && sent.length <= 24, `${sent.length} probes`);
  assert.equal(changes.length, 2, 'nothing has changed since');
  down.clear();
  down.add('http://a:1');
  clock.advance(40_000);
  assert.deepEqual(brief(changes).slice(2).sort(), ['a:1 down', 'b:1 up']);
  assert.deepEqual(
    prober
      .states()
      .map((s) => s.reason)
      .sort(),
    ['status 200', 'status 503'],
  );
});

test('prober: endpoints that stay keep their state; those that go are forgotten; checks that go set free', () => {
  const { clock, changes, sent, prober } = scripted((url) => url !== 'http://b:1');
  prober.update({ u: upstream() }, {});
  clock.advance(1100);
  changes.length = 0;
  prober.update({ u: upstream({ path: '/other' }, ['http://b:1', 'http://c:1']) }, {});
  assert.deepEqual(
    prober.states().map((s) => s.endpoint),
    ['b:1'],
  );
  clock.advance(11_000);
  assert.deepEqual(brief(changes), ['c:1 up']);
  assert.ok(sent.slice(2).every(({ target }) => target.path === '/other' && target.url !== 'http://a:1'));
  changes.length = 0;
  const { health: _, ...unchecked } = upstream({}, ['http://b:1', 'http://c:1']);
  prober.update({ u: unchecked }, {});
  assert.deepEqual(brief(changes), ['b:1 up']);
  const before = sent.length;
  clock.advance(60_000);
  assert.equal(sent.length, before);
});

test('prober: a suspect is probed at once, but not hammered', () => {
  const { clock, sent, prober } = scripted(() => true);
  prober.update({ u: upstream({}, ['http://a:1']) }, {});
  clock.advance(3000);
  assert.equal(sent.length, 1);
  for (let i = 0; i < 10; i++) prober.suspect('u', 'a:1');
  assert.equal(sent.length, 2);
  clock.advance(100);
  prober.suspect('u', 'a:1');
  assert.equal(sent.length, 2);
  clock.advance(500);
  prober.suspect('u', 'a:1');
  assert.equal(sent.length, 3);
  prober.stop();
  clock.advance(60_000);
  assert.equal(sent.length, 3);
});

test('prober: a suspect is cleared by the next ordinary probe that is good', () => {
  let well = true;
  const { clock, sent, cleared, prober } = scripted(() => well);
  prober.update({ u: upstream({ unhealthyAfter: 9 }, ['http://a:1']) }, {});
  clock.advance(3000);
  prober.suspect('u', 'a:1');
  clock.advance(1000);
  assert.deepEqual([sent.length, cleared.length], [2, 0], 'not by the probe that the suspicion caused');
  well = false;
  clock.advance(11_000);
  assert.deepEqual([sent.length, cleared.length], [3, 0], 'not by a bad one');
  well = true;
  clock.advance(11_000);
  assert.deepEqual([sent.length, cleared.length], [4, 1]);
  clock.advance(60_000);
  assert.equal(cleared.length, 1, 'once');
  // One that had been sent before says nothing.
  const before = sent.length;
  while (sent.length === before) clock.advance(1);
  prober.suspect('u', 'a:1');
  clock.advance(1000);
  assert.equal(cleared.length, 1);
  clock.advance(11_000);
  assert.equal(cleared.length, 2);
});

test('prober: names endpoints as the data plane does', () => {
  const cases: [string, string][] = [
    ['http://10.0.0.1:8000', '10.0.0.1:8000'],
    ['https://Model.example/', 'model.example'],
    ['http://[::1]:81', '[::1]:81'],
    ['unix:/run/m.sock', 'unix:/run/m.sock'],
  ];
  for (const [url, expected] of cases) assert.equal(endpointName({ url }), expected);
  assert.equal(endpointName({ url: 'http://a:1', name: 'gpu-1' }), 'gpu-1');
});

const target = (url: string, over: Partial<ProbeTarget> = {}): ProbeTarget => ({
  url,
  path: '/health',
  host: undefined,
  timeout: 60_000,
  expectStatus: [],
  tls: { verify: true },
  ...over,
});

const once = (t: ProbeTarget) => new Promise<ProbeResult>((done) => probe(t, systemClock, done));

test('probe: what servers do, and what is made of it', { timeout: 180_000 }, async () => {
  const hosts: string[] = [];
  const server = http.createServer((request, response) => {
    hosts.push(request.headers.host ?? '');
    const status = Number(request.url?.slice(1));
    if (status > 3) response.writeHead(status).end('well');
    if (status === 1 || status === 2) response.write('x'.repeat(status === 1 ? 1000 : 200_000));
    if (status === 1) response.destroy();
  });
  const path = join(mkdtempSync(join(tmpdir(), 'gatehouse-')), 'h.sock');
  const local = http.createServer((_, response) => response.end()).listen(path);
  const raw = net.createServer((socket) => socket.end('SSH-2.0-nothing\r\n')).listen(0, '127.0.0.1');
  server.listen(0, '127.0.0.1');
  for (const s of [server, local, raw]) if (!s.listening) await new Promise((done) => s.once('listening', done));
  const at = (s: net.Server) => `http://127.0.0.1:${(s.address() as net.AddressInfo).port}`;
  const cases: [string, ProbeTarget, boolean, RegExp][] = [
    ['200', target(at(server), { path: '/200' }), true, /^status 200$/],
    ['any 2xx', target(at(server), { path: '/204' }), true, /^status 204$/],
    ['503', target(at(server), { path: '/503' }), false, /^status 503$/],
    ['redirect', target(at(server), { path: '/302' }), false, /^status 302$/],
    ['expected status', target(at(server), { path: '/418', expectStatus: [418] }), true, /^status 418$/],
    ['unexpected 200', target(at(server), { path: '/200', expectStatus: [204] }), false, /^status 200$/],
    ['cut body', target(at(server), { path: '/1' }), false, /reset|hang up|aborted/],
    ['endless body', target(at(server), { path: '/2' }), true, /^status 200$/],
    ['silence', target(at(server), { path: '/3', timeout: 30 }), false, /^no answer within 30 ms$/],
    ['no HTTP', target(at(raw)), false, /Parse Error|Expected HTTP/i],
    ['unix socket', target(`unix:${path}`), true, /^status 200$/],
    ['no unix socket', target(`unix:${path}x`), false, /^no such socket$/],
    ['TLS to a plain port', target(at(server).replace('http:', 'https:')), false, /./],
    ['own host field', target(at(server), { path: '/200', host: 'models.example' }), true, /^status 200$/],
  ];
  for (const [title, t, good, reason] of cases) {
    const result = await once(t);
    assert.equal(result.good, good, title);
    assert.match(result.reason, reason, title);
  }
  assert.equal(hosts.at(-1), 'models.example');
  const closed = at(raw);
  for (const s of [server, local, raw]) s.close();
  server.closeAllConnections();
  assert.deepEqual((await once(target(closed))).reason, 'connection refused');
});

test('probe: HTTP/2, the health service of gRPC, and a PROXY header in front', { timeout: 180_000 }, async () => {
  const asked: string[] = [];
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    const path = `${headers[':path']}`;
    if (path.startsWith('/grpc.health')) {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('end', () => {
        const service = Buffer.concat(pieces).subarray(7).toString();
        asked.push(service);
        stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': service === 'lost' ? 5 : 0 }));
        stream.end(Buffer.from([0, 0, 0, 0, 2, 8, service === 'ill' ? 2 : 1]));
      });
      return;
    }
    stream.respond({ ':status': Number(path.slice(1)) }, { endStream: true });
  });
  let header = '';
  const proxied = net.createServer((socket) => {
    socket.once('data', (bytes: Buffer) => {
      header = bytes.toString('latin1').split('\r\n')[0] ?? '';
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
  });
  for (const s of [server, proxied]) await new Promise<void>((done) => s.listen(0, '127.0.0.1', done));
  const at = (s: { address(): unknown }) => `http://127.0.0.1:${(s.address() as net.AddressInfo).port}`;
  const cases: [Partial<ProbeTarget>, boolean, RegExp][] = [
    [{ path: '/200' }, true, /^status 200$/],
    [{ path: '/503' }, false, /^status 503$/],
    [{ grpc: '' }, true, /^SERVING$/],
    [{ grpc: 'well' }, true, /^SERVING$/],
    [{ grpc: 'ill' }, false, /^not SERVING$/],
    [{ grpc: 'lost' }, false, /^grpc-status 5$/],
  ];
  for (const [more, good, reason] of cases) {
    const result = await once(target(at(server), { http2: true, ...more }));
    assert.equal(result.good, good, JSON.stringify(more));
    assert.match(result.reason, reason);
  }
  assert.deepEqual(asked, ['', 'well', 'ill', 'lost']);
  assert.equal((await once(target(at(proxied), { proxyProtocol: 'v1' }))).good, true);
  assert.equal(header, 'PROXY UNKNOWN');
  assert.equal((await once(target(at(proxied), { http2: true }))).good, false);
  server.close();
  proxied.close();
});
