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
          assert.doesNotMatch(
            answer.raw,
            /guarded/,
            'who has not proved who they are learns no name of the configuration',
          );
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

  test('slows who guesses, and never locks out who has the right key', () =>
    gated(
      async (gateway) => {
        const status = async (key: string) => (await gateway.ask(get('/guarded', `x-api-key: ${key}`))).status;
        assert.deepEqual([await status('sk-guess-number-1'), await status('sk-guess-number-2')], [401, 401]);
        const answer = await gateway.ask(get('/guarded', 'x-api-key: sk-guess-number-3'));
        assert.equal(answer.status, 429, answer.raw);
        assert.ok(Number(answer.field('retry-after')) >= 1);
        assert.equal(await status(FOREIGN), 429, 'even the right one, where it might be a guess');
        assert.equal(await status(LIVE), 200, 'a key that nobody can guess is always looked at');
        assert.equal(await status(mintKey('live')), 429);
        await gateway.advance(60_000);
        assert.equal(await status(FOREIGN), 200);
        for (let i = 0; i < 3; i++) await status('sk-guess-number-4');
        assert.equal(await status(FOREIGN), 200, 'what has been verified goes on');
      },
      { clock: new ManualClock(), access: { ...access, failures: { burst: 2, refill: '30s' } } },
    ));

  test('whose model decides on the route asks for what the chosen route asks', () =>
    gated(
      async (gateway) => {
        const post = async (model: string, ...fields: string[]) => {
          const body = JSON.stringify({ model });
          const head = ['POST /v1/chat/completions HTTP/1.1', 'Host: a', `Content-Length: ${body.length}`, ...fields];
          return (await gateway.ask(`${head.join('\r\n')}\r\n\r\n${body}`)).status;
        };
        assert.equal(await post('public'), 200);
        assert.equal(await post('secret'), 401);
        assert.equal(await post('secret', `x-api-key: ${LIVE}`), 200);
        assert.equal((await gateway.ask(get('/v1/chat/completions'))).status, 200, 'no body, no model: the open one');
      },
      {
        routes: [
          { name: 'open', match: { path: '/v1/*' }, upstream: 'main' },
          {
            name: 'closed',
            match: { path: '/v1/*', model: 'secret' },
            upstream: 'main',
            access: { anyOf: ['apiKey'] },
          },
        ],
      },
    ));

  test('answers a stranger before the body came, where the body decides nothing about the door', () =>
    gated(
      async (gateway) => {
        const head = 'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n';
        assert.equal((await gateway.ask(head)).status, 401);
      },
      {
        routes: [{ name: 'closed', match: { path: '/v1/*' }, models: ['m'], access: { anyOf: ['apiKey'] } }],
        models: { m: { versions: [{ name: 'v', upstream: 'main' }] } },
      },
    ));
});
