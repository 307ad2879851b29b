import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ASSERTION_TYPE } from './assertion.ts';
import { tokensConfig } from './config.ts';
import type { Subject } from './parts.ts';
import {
  BATCH,
  basic,
  CREDENTIALS,
  DAY,
  DEVICE,
  EXCHANGE,
  house,
  KEY_TYPE,
  MINUTE,
  PEPPER,
  SECRET,
  SETTINGS,
} from './token.fixture.ts';
import type { TokenService } from './token.ts';

test('every refusal has the code and status of its RFC, and says it in JSON that nobody keeps', async (t) => {
  const { send, hold } = await house(t);
  const exchange = { grant_type: EXCHANGE, subject_token: 'key-text', subject_token_type: KEY_TYPE };
  const rows: [string, string, Record<string, string>, Record<string, string>, number, string][] = [
    ['no grant', '/oauth/token', {}, BATCH, 400, 'invalid_request'],
    ['unknown grant', '/oauth/token', { grant_type: 'password' }, BATCH, 400, 'unsupported_grant_type'],
    ['no client', '/oauth/token', CREDENTIALS, {}, 401, 'invalid_client'],
    ['unknown client', '/oauth/token', CREDENTIALS, basic('nobody', SECRET), 401, 'invalid_client'],
    ['wrong secret', '/oauth/token', CREDENTIALS, basic('batch', 'x'), 401, 'invalid_client'],
    ['switched off', '/oauth/token', CREDENTIALS, basic('off', SECRET), 401, 'invalid_client'],
    ['secret left out', '/oauth/token', { ...CREDENTIALS, client_id: 'batch' }, {}, 401, 'invalid_client'],
    [
      'secret of a public client',
      '/oauth/token',
      { ...CREDENTIALS, client_id: 'tool', client_secret: 'x' },
      {},
      401,
      'invalid_client',
    ],
    ['another scheme', '/oauth/token', CREDENTIALS, { authorization: 'Bearer x' }, 401, 'invalid_client'],
    ['no colon', '/oauth/token', CREDENTIALS, { authorization: `Basic ${btoa('batch')}` }, 401, 'invalid_client'],
    ['bad escape', '/oauth/token', CREDENTIALS, { authorization: `Basic ${btoa('%zz:x')}` }, 401, 'invalid_client'],
    ['two secrets', '/oauth/token', { ...CREDENTIALS, client_secret: SECRET }, BATCH, 400, 'invalid_request'],
    ['two ids', '/oauth/token', { ...CREDENTIALS, client_id: 'tool' }, BATCH, 400, 'invalid_request'],
    ['assertion', '/oauth/token', { ...CREDENTIALS, client_assertion: 'x' }, {}, 400, 'invalid_request'],
    ['grant not allowed', '/oauth/token', exchange, BATCH, 400, 'unauthorized_client'],
    ['scope', '/oauth/token', { ...CREDENTIALS, scope: 'embed' }, BATCH, 400, 'invalid_scope'],
    ['scope form', '/oauth/token', { ...CREDENTIALS, scope: 'a  b' }, BATCH, 400, 'invalid_scope'],
    ['resource', '/oauth/token', { ...CREDENTIALS, resource: 'https://x.example' }, BATCH, 400, 'invalid_target'],
    ['no proof', '/oauth/token', CREDENTIALS, basic('proving', SECRET), 400, 'invalid_dpop_proof'],
    ['wrong proof', '/oauth/token', CREDENTIALS, { ...BATCH, dpop: 'x' }, 400, 'invalid_dpop_proof'],
    ['nonce', '/oauth/token', CREDENTIALS, { ...BATCH, dpop: 'old' }, 400, 'use_dpop_nonce'],
    ['unknown key', '/oauth/token', { ...exchange, subject_token: 'x' }, {}, 400, 'invalid_request'],
    ['bound key', '/oauth/token', { ...exchange, subject_token: 'bound-text' }, {}, 400, 'unauthorized_client'],
    ['token type', '/oauth/token', { ...exchange, subject_token_type: 'x' }, {}, 400, 'invalid_request'],
    ['wanted type', '/oauth/token', { ...exchange, requested_token_type: 'x' }, {}, 400, 'invalid_request'],
    ['actor', '/oauth/token', { ...exchange, actor_token: 'x' }, {}, 400, 'invalid_request'],
    ['no refresh token', '/oauth/token', { grant_type: 'refresh_token' }, BATCH, 400, 'invalid_request'],
    ['refresh, nobody', '/oauth/token', { grant_type: 'refresh_token', refresh_token: 'x' }, {}, 401, 'invalid_client'],
    [
      'foreign refresh token',
      '/oauth/token',
      { grant_type: 'refresh_token', refresh_token: 'gh_rt_x.1.y' },
      BATCH,
      400,
      'invalid_grant',
    ],
    [
      'device code',
      '/oauth/token',
      { grant_type: DEVICE, device_code: 'x', client_id: 'tool' },
      {},
      400,
      'invalid_grant',
    ],
    ['device client', '/oauth/device_authorization', {}, BATCH, 400, 'unauthorized_client'],
    ['device scope', '/oauth/device_authorization', { client_id: 'tool', scope: 'embed' }, {}, 400, 'invalid_scope'],
    ['revoke nothing', '/oauth/revoke', {}, BATCH, 400, 'invalid_request'],
    ['revoke, nobody', '/oauth/revoke', { token: 'x' }, {}, 401, 'invalid_client'],
    ['introspect, nobody', '/oauth/introspect', { token: 'x' }, {}, 401, 'invalid_client'],
    ['introspect, public', '/oauth/introspect', { token: 'x', client_id: 'tool' }, {}, 400, 'unauthorized_client'],
    ['elsewhere', '/oauth/other', {}, {}, 404, 'not_found'],
    ['names of objects', '/oauth/constructor', {}, {}, 404, 'not_found'],
  ];
  for (const [what, path, form, fields, status, error] of rows) {
    const answer = await send(path, form, fields);
    assert.deepEqual([answer.status, answer.told.error], [status, error], what);
    assert.equal(answer.fields.get('Cache-Control'), 'no-store', what);
    assert.equal(status === 401, answer.fields.has('WWW-Authenticate'), what);
    assert.ok((answer.told.error_description ?? '').length > 10, what);
  }
  assert.equal((await send('/oauth/token', CREDENTIALS, { ...BATCH, dpop: 'old' })).fields.get('DPoP-Nonce'), 'n1');
  assert.equal((await send('/oauth/token', undefined)).status, 405);
  const twice = { ...BATCH, 'content-type': 'application/json' };
  assert.equal((await send('/oauth/token', CREDENTIALS, twice)).told.error, 'invalid_request');
  hold(1500);
  const slowed = await send('/oauth/token', CREDENTIALS, basic('batch', 'x'));
  assert.deepEqual([slowed.status, slowed.fields.get('Retry-After')], [429, '2']);
  assert.equal((await send('/oauth/token', CREDENTIALS, BATCH)).status, 200);
});

test('what can be no client_id is an unknown client, and counts as a guess', async (t) => {
  const { send, guesses } = await house(t);
  const ids = ['\0', 'batch\0', 'a\nb', 'a\u0085', '\ud800', 'é', 'x'.repeat(600)];
  for (const id of ids) {
    const unsigned = `${[{ alg: 'none' }, { iss: id, sub: id }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
    const assertion = { client_assertion_type: ASSERTION_TYPE, client_assertion: unsigned };
    for (const form of [{ client_id: id }, { client_id: id, client_secret: SECRET }, assertion]) {
      const before = guesses.length;
      for (const path of ['token', 'revoke', 'introspect', 'device_authorization']) {
        const answer = await send(`/oauth/${path}`, { ...CREDENTIALS, token: 'x', ...form });
        assert.deepEqual([answer.status, answer.told.error], [401, 'invalid_client'], JSON.stringify([path, form]));
      }
      assert.equal(guesses.length, before + 4, JSON.stringify(form));
    }
  }
});

test('any bytes as a request are answered, never thrown at', async (t) => {
  const { send } = await house(t);
  const word = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('batch', SECRET, EXCHANGE, DEVICE, 'key-text'));
  const name = fc.constantFrom(
    'grant_type',
    'client_id',
    'client_secret',
    'scope',
    'refresh_token',
    'device_code',
    'token',
    'ticket',
    'user_code',
    'key',
  );
  const path = fc.constantFrom('token', 'revoke', 'introspect', 'device_authorization', 'device');
  await fc.assert(
    fc.asyncProperty(path, fc.dictionary(name, word), fc.option(word), async (at, form, authorization) => {
      const fields = authorization === null ? {} : { authorization: `Basic ${authorization}` };
      const { status } = await send(`/oauth/${at}`, form, fields);
      assert.ok(status >= 200 && status < 500, String(status));
    }),
    { numRuns: 300 },
  );
});

test('a token holds no longer than its key, and its length is that of the settings', async (t) => {
  const { send } = await house(t, { lifetime: '10min' });
  const exchange = (key: string) =>
    send('/oauth/token', { grant_type: EXCHANGE, subject_token: key, subject_token_type: KEY_TYPE });
  assert.equal(Number((await exchange('key-text')).told.expires_in), 600);
  assert.equal(Number((await exchange('short-text')).told.expires_in), 300);
});

test('devices wait, are told to slow down, and their codes end', async (t) => {
  const { send, clock } = await house(t);
  const begin = () => send('/oauth/device_authorization', { client_id: 'tool' });
  const { told } = await begin();
  const poll = async (by = 'tool') =>
    (await send('/oauth/token', { grant_type: DEVICE, device_code: told.device_code ?? '', client_id: by })).told.error;
  assert.equal(await poll(), 'authorization_pending');
  assert.equal(await poll(), 'slow_down');
  clock.advance(6000);
  assert.equal(await poll(), 'slow_down', 'it has to wait five seconds more than before');
  clock.advance(16_000);
  assert.equal(await poll(), 'authorization_pending');
  clock.advance(10 * MINUTE);
  assert.equal(await poll(), 'expired_token');
  clock.advance(11 * MINUTE);
  assert.equal(await poll(), 'invalid_grant');
});

test('a login ends with its key, with its time, and by an old token of another node', async (t) => {
  const { send, clock, keys, make, ended } = await house(t);
  const begin = async () =>
    (
      await send('/oauth/token', {
        ...{ grant_type: EXCHANGE, subject_token: 'key-text', subject_token_type: KEY_TYPE, client_id: 'tool' },
        scope: 'chat offline_access',
      })
    ).told.refresh_token as string;
  const other = await make();
  const use = async (token: string, by?: TokenService) =>
    (await send('/oauth/token', { grant_type: 'refresh_token', refresh_token: token, client_id: 'tool' }, {}, by)).told;
  const first = await begin();
  const [one, two] = await Promise.all([use(first), use(first, other)]);
  assert.equal(one.refresh_token, two.refresh_token, 'two nodes give the same successor');
  clock.advance(11_000);
  assert.equal((await use(first, other)).error, 'invalid_grant');
  assert.equal((await use(one.refresh_token as string)).error, 'invalid_grant');
  assert.equal(ended.filter((name) => name.startsWith('family')).length, 1);
  const second = await begin();
  clock.advance(31 * DAY);
  assert.equal((await use(second)).error, 'invalid_grant');
  const third = await begin();
  const [key] = [...keys.values()];
  keys.clear();
  assert.equal((await use(third)).error, 'invalid_grant');
  keys.set('key-text', { ...(key as Subject), scopes: ['embed'] });
  assert.equal((await use(third)).scope, '', 'what the key may not do any more, the token may not do');
});

test('who belongs to a tenant that is switched off gets no tokens, and those of before are not active', async (t) => {
  const clients = [
    { id: 'batch', secret: SECRET, scopes: ['chat'], tenant: 'acme', introspects: true },
    { id: 'look', secret: SECRET, introspects: true },
    SETTINGS.clients[1],
  ];
  const { send, keys, refused } = await house(t, { clients });
  keys.set('key-text', { ...(keys.get('key-text') as Subject), tenant: 'acme' });
  const exchange = { grant_type: EXCHANGE, subject_token: 'key-text', subject_token_type: KEY_TYPE, client_id: 'tool' };
  const asked = { ...exchange, scope: 'chat offline_access' };
  const login = (await send('/oauth/token', asked)).told;
  const own = (await send('/oauth/token', CREDENTIALS, BATCH)).told;
  const active = async (token: string | undefined) =>
    (await send('/oauth/introspect', { token: token as string }, basic('look', SECRET))).told.active as unknown;
  const all = [login.access_token, login.refresh_token, own.access_token];
  const actives = async () => [await active(all[0]), await active(all[1]), await active(all[2])];
  const refresh = { grant_type: 'refresh_token', refresh_token: login.refresh_token as string, client_id: 'tool' };
  assert.deepEqual(await actives(), [true, true, true]);
  refused.set('acme', 'This account is switched off.');
  assert.deepEqual(await actives(), [false, false, false]);
  for (const [form, fields, code] of [
    [asked, {}, 'invalid_request'],
    [CREDENTIALS, BATCH, 'invalid_grant'],
    [refresh, {}, 'invalid_grant'],
  ] as const) {
    const { status, told } = await send('/oauth/token', form, fields);
    assert.deepEqual([status, told.error, told.error_description], [400, code, 'This account is switched off.']);
  }
  refused.clear();
  assert.deepEqual(await actives(), [true, true, true], 'the refresh token was not used up');
  assert.equal((await send('/oauth/token', refresh)).status, 200);
});

test('clients that are taken out of the configuration, or switched off, lose their tokens; across a restart, too', async (t) => {
  const { service, ended, make, clock } = await house(t);
  const clients = (...ids: string[]) =>
    tokensConfig.parse({ ...SETTINGS, clients: ids.map((id) => ({ id, secret: SECRET })) }) as never;
  await service.configure(clients('batch', 'tool'), [PEPPER]);
  assert.deepEqual(ended, [], 'it is only tried');
  await service.settle();
  assert.deepEqual(ended, ['client proving']);
  await service.settle();
  assert.equal(ended.length, 1, 'once');
  // As a node that starts with another configuration: it has them all.
  clock.advance(MINUTE);
  await make();
  await service.settle();
  assert.deepEqual(ended.slice(1), ['client proving'], 'those that another node has still');
});
