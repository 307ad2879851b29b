/** Routes that ask who calls, on real sockets: what gets through, what is answered, and what the upstream sees. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { mintKey } from '../../src/policy/access/key.ts';
import { type InProcess, type InProcessOptions, withGateway, withServer } from '../inprocess.ts';

const LIVE = mintKey('live', (bytes) => new Uint8Array(bytes).fill(7));
const OTHER = mintKey('live', (bytes) => new Uint8Array(bytes).fill(9));
const NARROW = mintKey('test', (bytes) => new Uint8Array(bytes).fill(3));
const FOREIGN = 'sk-an-old-key-of-another-make';

const access: NonNullable<InProcessOptions['access']> = {
  keys: [
    { name: 'alice', key: LIVE, tenant: 'acme', scopes: ['inference', 'files'] },
    { name: 'old', key: FOREIGN, scopes: ['inference'] },
    { name: 'narrow', key: NARROW, networks: ['10.0.0.0/8'], scopes: ['inference'] },
    { name: 'short', key: OTHER, scopes: ['inference'], expires: '2025-06-15T15:06:40Z' },
  ],
};
const routes: NonNullable<InProcessOptions['routes']> = [
  { name: 'open', match: { path: '/open' }, upstream: 'main' },
  {
    name: 'guarded',
    match: { path: '/guarded' },
    upstream: 'main',
    access: { anyOf: ['apiKey'], scopes: ['inference'] },
  },
  { name: 'admin', match: { path: '/admin' }, upstream: 'main', access: { anyOf: ['apiKey'], scopes: ['admin'] } },
  {
    name: 'through',
    match: { path: '/through' },
    upstream: 'main',
    access: { anyOf: ['apiKey'], forwardCredential: true },
  },
  {
    name: 'swapped',
    match: { path: '/swapped' },
    upstream: 'main',
    access: { anyOf: ['apiKey'] },
    rewrite: { requestHeaders: { set: { Authorization: 'Bearer upstream-key' } } },
  },
];

/** A gateway in front of a server that answers with the head it got. */
async function gated(use: (gateway: InProcess) => Promise<void>, more: Partial<InProcessOptions> = {}): Promise<void> {
  await withServer(
    async (peer) => {
      for (;;) {
        const { raw: head } = await peer.read();
        await peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n${head}`);
      }
    },
    (server) => withGateway({ upstream: server.url, access, routes, ...more }, use),
  );
}

const get = (path: string, ...fields: string[]) => [`GET ${path} HTTP/1.1`, 'Host: a', ...fields, '', ''].join('\r\n');

describe('a route that asks for a key', () => {
  const accepted: [string, string[]][] = [
    ['Authorization: Bearer', [`Authorization: Bearer ${LIVE}`]],
    ['a scheme in small letters', [`authorization: bearer ${LIVE}`]],
    ['x-api-key', [`x-api-key: ${LIVE}`]],
    ['api-key', [`Api-Key: ${LIVE}`]],
    ['the same key in two fields', [`Authorization: Bearer ${LIVE}`, `x-api-key: ${LIVE}`]],
    ['a key of another make', [`Authorization: Bearer ${FOREIGN}`]],
  ];
  test('lets pass who has one, and keeps it from the upstream', () =>
    gated(async (gateway) => {
      for (const [what, fields] of accepted) {
        const { status, body } = await gateway.ask(get('/guarded', ...fields, 'X-Other: stays'));
        assert.equal(status, 200, what);
        assert.doesNotMatch(body, /authorization|api-key|gh_live|sk-/i, what);
        assert.match(body, /X-Other: stays/, what);
      }
    }));

  const refused: [string, string[], number, RegExp][] = [
    ['nothing', [], 401, /^Bearer realm="gatehouse"$/],
    [
      'a key that is unknown',
      [`x-api-key: ${mintKey('live')}`],
      401,
      /error="invalid_token", error_description="The API key is not known here\."/,
    ],
    [
      'a key with a typo',
      [`x-api-key: ${LIVE.slice(0, -1)}x`],
      401,
      /checksum of the API key is wrong: was it cut off/,
    ],
    ['a key that was cut off', [`x-api-key: ${LIVE.slice(0, -3)}`], 401, /was it cut off/],
    ['an empty field', ['x-api-key:'], 401, /empty/],
    ['an empty bearer', ['Authorization: Bearer '], 401, /error="invalid_token"/],
    ['another scheme', ['Authorization: Basic YTpi'], 401, /write Bearer/],
    ['a key that has expired', [`x-api-key: ${OTHER}`], 401, /has expired/],
    ['an address that is none of its own', [`x-api-key: ${NARROW}`], 401, /from this address/],
    ['two keys', [`Authorization: Bearer ${LIVE}`, `x-api-key: ${OTHER}`], 400, /error="invalid_request"/],
    ['a repeated field', [`x-api-key: ${LIVE}`, `x-api-key: ${LIVE}`], 400, /error="invalid_request"/],
    ['an underscore', [`x_api_key: ${LIVE}`], 400, /error="invalid_request"/],
    ['a key that Connection names', [`x-api-key: ${LIVE}`, 'Connection: x-api-key'], 401, /^Bearer realm="gatehouse"$/],
  ];
  test('refuses who has none', () =>
    gated(
      async (gateway) => {
        for (const [what, fields, status, challenge] of refused) {
          const answer = await gateway.ask(get('/guarded', ...fields));
          assert.equal(answer.status, status, `${what}: ${answer.raw}`);
          assert.match(answer.field('www-authenticate') ?? '', challenge, what);
        }
      },
      { clock: new ManualClock() },
    ));

  test('asks for scopes', () =>
    gated(async (gateway) => {
      const answer = await gateway.ask(get('/admin', `x-api-key: ${LIVE}`));
      assert.equal(answer.status, 403, answer.raw);
      assert.match(answer.field('www-authenticate') ?? '', /error="insufficient_scope".*scope="admin"/);
    }));

  test('lets the key go on where it is told to, and sets that of the upstream in its place', () =>
    gated(async (gateway) => {
      assert.match((await gateway.ask(get('/through', `x-api-key: ${LIVE}`))).body, new RegExp(`x-api-key: ${LIVE}`));
      const { body } = await gateway.ask(get('/swapped', `Authorization: Bearer ${LIVE}`));
      assert.match(body, /\r\nAuthorization: Bearer upstream-key\r\n/);
      assert.doesNotMatch(body, /gh_live/);
    }));

  test('leaves other routes alone', () =>
    gated(async (gateway) => {
      const { status, body } = await gateway.ask(get('/open', `Authorization: Bearer mine`, 'x-api-key: also'));
      assert.equal(status, 200);
      assert.match(body, /Authorization: Bearer mine\r\nx-api-key: also/);
    }));
});
