/** Rows 21 and 22: what travels one hop only, what a client may say of the way it came, and loops. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefusal, type InProcess, startInProcess, withGateway, withServer } from '../inprocess.ts';
import type { Message } from '../message.ts';
import { plainResponse } from '../raw.ts';

/** Sends a request with these fields and hands over what the server was asked. */
async function asked(
  fields: string,
  options: { trustedHops?: string[]; answerFields?: string },
  use: (request: Message, answer: Message, gateway: InProcess) => void | Promise<void>,
): Promise<void> {
  const requests: Message[] = [];
  await withServer(
    async (peer) => {
      for (;;) {
        requests.push(await peer.read());
        await peer.send(plainResponse('ok', options.answerFields));
      }
    },
    (server) =>
      withGateway({ upstream: server.url, listener: { trustedHops: options.trustedHops ?? [] } }, async (gateway) => {
        const answer = await gateway.ask(`GET / HTTP/1.1\r\nHost: front.example\r\n${fields}\r\n`);
        equal(answer.status, 200, answer.raw);
        await use(requests[0] as Message, answer, gateway);
      }),
  );
}

const names = (message: Message) => message.fields.map(([name]) => name.toLowerCase());

test('hop-by-hop fields and those that Connection names stay behind, both ways', () =>
  asked(
    'Connection: X-Hop, keep-alive, Cookie\r\nX-Hop: 1\r\nCookie: c\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\nTrailer: a\r\n' +
      'Proxy-Connection: close\r\nProxy-Authorization: p\r\nUpgrade: h2c\r\nHTTP2-Settings: s\r\nX-End: 2\r\n',
    {
      answerFields:
        'Connection: X-Back\r\nX-Back: 1\r\nKeep-Alive: timeout=60\r\nProxy-Authenticate: p\r\nX-End: 3\r\n',
    },
    (request, answer) => {
      const hop =
        /^(connection|x-hop|cookie|keep-alive|te|trailer|proxy-connection|proxy-authorization|upgrade|http2-settings|x-back|proxy-authenticate)$/;
      deepEqual(
        names(request).filter((name) => hop.test(name)),
        [],
      );
      equal(request.field('x-end'), '2');
      deepEqual(
        names(answer).filter((name) => hop.test(name)),
        [],
      );
      equal(answer.field('x-end'), '3');
    },
  ));

test('Connection cannot name framing or Host away', () =>
  asked('Connection: Host, Content-Length\r\nContent-Length: 0\r\n', {}, (request) => {
    ok(request.field('host'));
    equal(request.field('content-length'), '0');
  }));

test('Connection cannot name away what tells a loop, or what a trusted hop says of the client', () =>
  asked(
    'Connection: Via, X-Forwarded-For, Max-Forwards\r\nVia: 1.1 front\r\nX-Forwarded-For: 192.0.2.1\r\nMax-Forwards: 3\r\n',
    { trustedHops: ['127.0.0.1'] },
    (request) => {
      equal(request.field('via'), '1.1 front, 1.1 gatehouse-test');
      equal(request.field('x-forwarded-for'), '192.0.2.1, 127.0.0.1');
      equal(request.field('max-forwards'), '3');
    },
  ));

for (const name of ['X-Request-Id', 'Content-Type', 'X-Hop']) {
  for (const trustedHops of [[], ['127.0.0.1']]) {
    test(`Connection names ${name} (${trustedHops.length ? 'trusted' : 'untrusted'}): gone, and nothing leaks into what we write`, () =>
      asked(`Connection: ${name}\r\n${name}: 1.1 evil\r\nX-Secret: s\r\n`, { trustedHops }, (request) => {
        ok(!request.raw.includes('evil'), request.raw);
        equal(request.raw.split('X-Secret').length, 2, request.raw);
        equal(request.raw.split('\r\n\r\n').length, 2, request.raw);
        equal(request.field('via'), '1.1 gatehouse-test');
        equal(request.field('x-forwarded-for'), '127.0.0.1');
      }));
  }
}

test('from who is no trusted hop, forwarding fields are replaced', () =>
  asked(
    'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n' +
      'X-Forwarded-Server: evil\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n',
    {},
    (request) => {
      ok(!/1\.2\.3\.4|evil/.test(request.raw), request.raw);
      equal(request.field('x-forwarded-for'), '127.0.0.1');
      equal(request.field('x-forwarded-proto'), 'http');
      equal(request.field('x-forwarded-host'), 'front.example');
      equal(request.field('forwarded'), undefined);
      equal(request.field('via'), '1.1 gatehouse-test');
    },
  ));

test('from a trusted hop they are believed and extended', () =>
  asked(
    'X-Forwarded-For: 1.2.3.4, 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\nForwarded: for=1.2.3.4;proto=https\r\nVia: 1.1 edge\r\nX-Request-Id: theirs-1\r\n',
    { trustedHops: ['127.0.0.0/8', '10.0.0.0/8'] },
    (request, answer, gateway) => {
      equal(request.field('x-forwarded-for'), '1.2.3.4, 10.0.0.1, 127.0.0.1');
      equal(request.field('x-forwarded-proto'), 'https');
      equal(request.field('x-forwarded-host'), 'public.example');
      match(request.field('forwarded') ?? '', /^for=1\.2\.3\.4;proto=https, for=127\.0\.0\.1/);
      equal(request.field('via'), '1.1 edge, 1.1 gatehouse-test');
      equal(request.field('x-request-id'), 'theirs-1');
      equal(answer.field('x-request-id'), 'theirs-1');
      equal(gateway.ended[0]?.id, 'theirs-1');
    },
  ));

test('a request id of who is no trusted hop is not taken for ours', () =>
  asked('X-Request-Id: theirs-1\r\n', {}, (request) => {
    equal(request.raw.includes('theirs-1'), false);
  }));

test('row 22: a way that leads back to us: 508', async () => {
  const first = await startInProcess({ upstream: 'http://127.0.0.1:9' });
  const second = await startInProcess({ upstream: `http://127.0.0.1:${first.port}` });
  // The first leads to the second, which leads to the first.
  const { config } = first.worker.snapshot.input;
  const main = config.upstreams.main as NonNullable<typeof config.upstreams.main>;
  await first.worker.update({
    config: {
      ...config,
      upstreams: {
        ...config.upstreams,
        main: { ...main, endpoints: [{ url: `http://127.0.0.1:${second.port}`, weight: 1 }] },
      },
    },
    files: {},
  });
  const answer = await first.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assertRefusal(answer, { status: 508, code: 'loop_detected', proxyError: 'proxy_loop_detected', close: false });
  equal(first.faults('loop') + second.faults('loop'), 1);
  await first.unharmed();
  await second.close();
  await first.close();
});

test('OPTIONS * is asked of this gateway', () =>
  withGateway({ upstream: 'http://127.0.0.1:9' }, async (gateway) => {
    const client = await gateway.client();
    for (const fields of ['Host: a\r\n', 'Host: a\r\nMax-Forwards: 0\r\n']) {
      await client.send(`OPTIONS * HTTP/1.1\r\n${fields}\r\n`);
      const answer = await client.read();
      equal(answer.status, 200, answer.raw);
      match(answer.field('allow') ?? '', /^GET, HEAD, /);
      equal(answer.field('content-length'), '0');
      equal(answer.field('content-type'), undefined);
    }
    client.close();
  }));

test('a request of HTTP/1.0 that names no host: none is made up, and none is sent empty', () =>
  withServer(
    async (peer) => {
      const request = await peer.read();
      equal(request.field('x-forwarded-host'), undefined, request.raw);
      await peer.send(plainResponse());
    },
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        await client.send('GET / HTTP/1.0\r\n\r\n');
        equal((await client.read()).status, 200);
      }),
  ));

test('row 22: Max-Forwards of 0 ends here', () =>
  withGateway({ upstream: 'http://127.0.0.1:9' }, async (gateway) => {
    const answer = await gateway.ask('OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n');
    equal(answer.status, 508, answer.raw);
    for (const method of ['TRACE', 'TRACK', 'CONNECT']) {
      const refused = await gateway.ask(
        `${method} ${method === 'CONNECT' ? 'a:443' : '/'} HTTP/1.1\r\nHost: a\r\n\r\n`,
      );
      equal(refused.status, 405, refused.raw);
      ok(refused.field('allow'));
    }
  }));
