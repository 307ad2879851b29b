/** A certified client library as judge: it finds the service by its metadata and walks through every grant. */
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import * as oidc from 'openid-client';
import { decided, untilAll } from '../workers.ts';
import { API_KEY_TYPE, startTokenHouse } from './service.ts';

const SECRET = 'a secret of the batch client, long enough';
const pair = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
const publicKey = JSON.stringify(await webcrypto.subtle.exportKey('jwk', pair.publicKey));
const CLIENTS = [
  { id: 'signing', keys: [publicKey], scopes: ['chat'] },
  { id: 'batch', secret: SECRET, grants: ['clientCredentials'], scopes: ['chat', 'embed'], tenant: 'acme' },
  { id: 'guard', secret: `${SECRET} 2`, introspects: true },
  { id: 'tool', name: 'Tool <b>', grants: ['device', 'refresh', 'tokenExchange'], scopes: ['chat'] },
];

test('openid-client: every grant, bound tokens, introspection and revocation', { timeout: 240_000 }, async (t) => {
  const house = await startTokenHouse(t, { clients: CLIENTS, deviceInterval: '1s' });
  const server = new URL(house.issuer);
  const options = { algorithm: 'oauth2' as const, execute: [oidc.allowInsecureRequests] };
  const as = (id: string, how: oidc.ClientAuth) => oidc.discovery(server, id, undefined, how, options);
  const batch = await as('batch', oidc.ClientSecretBasic(SECRET));
  const guard = await as('guard', oidc.ClientSecretPost(`${SECRET} 2`));
  const tool = await as('tool', oidc.None());
  const { key } = await house.key({ scopes: ['chat', 'embed'], principal: 'alice' });

  await t.test('client credentials', async () => {
    const tokens = await oidc.clientCredentialsGrant(batch, { scope: 'chat', resource: house.issuer });
    assert.equal(tokens.scope, 'chat');
    assert.equal(decodeJwt(tokens.access_token).sub, 'batch');
    assert.deepEqual(await house.ask(tokens.access_token), [200]);
    const seen = await oidc.tokenIntrospection(guard, tokens.access_token);
    assert.deepEqual([seen.active, seen.client_id, seen.tenant, seen.iss], [true, 'batch', 'acme', house.issuer]);
    await oidc.tokenRevocation(batch, tokens.access_token);
    assert.equal((await oidc.tokenIntrospection(guard, tokens.access_token)).active, false);
    await untilAll(() => house.ask(tokens.access_token), 401);
    await assert.rejects(oidc.clientCredentialsGrant(batch, { scope: 'admin' }), { error: 'invalid_scope' });
    await assert.rejects(oidc.clientCredentialsGrant(batch, { resource: 'https://other' }), {
      error: 'invalid_target',
    });
  });

  await t.test('private_key_jwt: a new assertion each time, at every endpoint', async () => {
    const signing = await as('signing', oidc.PrivateKeyJwt(pair.privateKey));
    for (let i = 0; i < 2; i++) {
      const tokens = await oidc.clientCredentialsGrant(signing, { scope: 'chat' });
      assert.equal(decodeJwt(tokens.access_token).sub, 'signing');
      assert.deepEqual(await house.ask(tokens.access_token), [200]);
      assert.equal((await oidc.tokenIntrospection(signing, tokens.access_token)).active, true);
      await oidc.tokenRevocation(signing, tokens.access_token);
    }
    await assert.rejects(oidc.clientCredentialsGrant(await as('batch', oidc.PrivateKeyJwt(pair.privateKey))), {
      status: 401,
    });
  });

  await t.test('an API key is a client by its id', async () => {
    const own = await house.key({ principal: 'carol' });
    const client = await as(own.document.id, oidc.ClientSecretBasic(own.key));
    const tokens = await oidc.clientCredentialsGrant(client);
    assert.equal(decodeJwt(tokens.access_token).sub, 'carol');
    await assert.rejects(oidc.clientCredentialsGrant(await as('key_another', oidc.ClientSecretBasic(own.key))), {
      status: 401,
    });
  });

  await t.test('device: a person lets it in, refresh tokens follow, the login is revoked', async () => {
    const asked = await oidc.initiateDeviceAuthorization(tool, { scope: 'chat' });
    assert.match(asked.user_code, /^[B-Z]{4}-[B-Z]{4}$/);
    const waiting = oidc.pollDeviceAuthorizationGrant(tool, asked);
    const shown = await fetch(asked.verification_uri_complete as string);
    assert.match(shown.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
    assert.match(await shown.text(), new RegExp(asked.user_code));
    const wrong = await house.post('/oauth/device', { user_code: asked.user_code, key: `${key.slice(0, -1)}!` });
    assert.equal(wrong.status, 401);
    const page = await house.post('/oauth/device', { user_code: asked.user_code.toLowerCase(), key });
    assert.equal(page.status, 200);
    assert.match(page.text, /Tool &#60;b&#62;/);
    assert.ok(!page.text.includes(key), 'the page shows the key');
    const ticket = /name="ticket" value="([^"]+)"/.exec(page.text)?.[1] as string;
    const elsewhere = { origin: 'https://evil.example' };
    assert.equal((await house.post('/oauth/device', { ticket, decision: 'approve' }, elsewhere)).status, 403);
    assert.equal((await house.post('/oauth/device', { ticket: `${ticket}x`, decision: 'approve' })).status, 400);
    assert.equal((await house.post('/oauth/device', { ticket, decision: 'approve' })).status, 200);
    const first = await waiting;
    assert.equal(decodeJwt(first.access_token).sub, 'alice');
    const again = await oidc.refreshTokenGrant(tool, first.refresh_token as string, { scope: 'chat' });
    assert.notEqual(again.refresh_token, first.refresh_token);
    assert.deepEqual(await house.ask(again.access_token), [200]);
    const seen = await oidc.tokenIntrospection(guard, again.refresh_token as string);
    assert.equal(seen.active, true);
    await oidc.tokenRevocation(tool, again.refresh_token as string);
    await untilAll(() => house.ask(again.access_token), 401);
    await assert.rejects(oidc.refreshTokenGrant(tool, again.refresh_token as string), { error: 'invalid_grant' });
  });

  await t.test('device: a person says no', async () => {
    const asked = await oidc.initiateDeviceAuthorization(tool, {});
    const waiting = oidc.pollDeviceAuthorizationGrant(tool, asked);
    const page = await house.post('/oauth/device', { user_code: asked.user_code, key });
    const ticket = /name="ticket" value="([^"]+)"/.exec(page.text)?.[1] as string;
    await house.post('/oauth/device', { ticket, decision: 'deny' });
    await assert.rejects(waiting, { error: 'access_denied' });
  });

  await t.test('DPoP: the token is bound to the key, and a proof is good once across workers', async () => {
    const proving = oidc.getDPoPHandle(tool, await oidc.randomDPoPKeyPair('ES256'));
    const exchange = {
      subject_token: key,
      subject_token_type: API_KEY_TYPE,
      scope: 'chat offline_access',
    };
    const grant = 'urn:ietf:params:oauth:grant-type:token-exchange';
    const tokens = await oidc.genericGrantRequest(tool, grant, exchange, { DPoP: proving });
    assert.equal(tokens.token_type, 'dpop');
    const url = new URL(`${house.issuer}/v1/models`);
    const proofs: string[] = [];
    const look = Object.assign(await as('tool', oidc.None()), {});
    look[oidc.customFetch] = (to, init) => {
      proofs.push(new Headers(init?.headers as Record<string, string>).get('dpop') ?? '');
      return fetch(to, init as RequestInit);
    };
    const bound = oidc.getDPoPHandle(look, await oidc.randomDPoPKeyPair('ES256'));
    const given = await oidc.genericGrantRequest(look, grant, exchange, { DPoP: bound });
    const { access_token } = given;
    const answer = await decided(() =>
      oidc.fetchProtectedResource(look, access_token, url, 'GET', null, new Headers(), { DPoP: bound }),
    );
    assert.equal(answer.status, 200);
    const headers = { authorization: `DPoP ${access_token}`, dpop: proofs.at(-1) as string, connection: 'close' };
    const replays = await Promise.all(Array.from({ length: 16 }, () => decided(() => fetch(url, { headers }))));
    assert.deepEqual([...new Set(replays.map(({ status }) => status))], [401]);
    assert.deepEqual(await house.ask(access_token), [401]);
    // A public client has nothing else to show: another key does not go on with its login.
    const other = oidc.getDPoPHandle(tool, await oidc.randomDPoPKeyPair('ES256'));
    const token = tokens.refresh_token as string;
    await assert.rejects(oidc.refreshTokenGrant(tool, token, undefined, { DPoP: other }), { error: 'invalid_grant' });
    const next = await oidc.refreshTokenGrant(tool, token, undefined, { DPoP: proving });
    assert.equal(next.token_type, 'dpop');
  });
});
