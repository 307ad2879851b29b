import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../../kernel/clock.ts';
import { fetchJson } from './fetchjson.ts';

let answer: (response: ServerResponse) => void;
const server = createServer((_request, response) => answer(response));
let url = '';
before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

describe('a document of an issuer', () => {
  const get = (timeoutMs = 60_000) => fetchJson(systemClock, url, { timeoutMs });

  test('is fetched', async () => {
    answer = (response) => response.end('{"keys":[]}');
    assert.deepEqual(await get(), { keys: [] });
  });

  for (const [what, play, why] of [
    [
      'redirects',
      (r: ServerResponse) => r.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      /redirects \(status 302\)/,
    ],
    ['fails', (r: ServerResponse) => r.writeHead(500).end('{}'), /status 500/],
    ['is no JSON', (r: ServerResponse) => r.end('<html>'), /is no JSON/],
    ['is endless', (r: ServerResponse) => void r.write('x'.repeat(300_000)), /larger than 262144 bytes/],
    [
      'breaks off',
      (r: ServerResponse) => r.writeHead(200, { 'content-length': '10' }).write('{', () => r.destroy()),
      /broke off|cannot be reached/,
    ],
  ] as const) {
    test(`that ${what} is none`, async () => {
      answer = play as typeof answer;
      await assert.rejects(get(), why);
    });
  }

  test('that does not come in time is none', async () => {
    answer = (response) => void response.write('{');
    await assert.rejects(get(50), /has not answered within 50 ms/);
  });

  for (const wrong of [
    'http://example.com/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'https://user:password@example.com/',
    'x',
  ]) {
    test(`is not fetched from ${wrong}`, async () => {
      await assert.rejects(fetchJson(systemClock, wrong, { timeoutMs: 10 }), /is no https URL/);
    });
  }

  test('of a server that is not there is none', async () => {
    await assert.rejects(fetchJson(systemClock, 'http://127.0.0.1:1/', { timeoutMs: 60_000 }), /cannot be reached/);
  });
});
