/** A key becomes a token that both workers take, goes on by refresh tokens, and takes its tokens with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { KEY_KIND } from '../../src/policy/access/access.ts';
import { lookupsOf, revokeKey } from '../../src/policy/access/lifecycle.ts';
import { untilAll } from '../workers.ts';
import { exchangeOf, startTokenHouse, type TokenHouse } from './service.ts';

const PATIENCE = { timeout: 180_000 };

const until = (house: TokenHouse, token: string, status: number) => untilAll(() => house.ask(token), status);

test('a token of a key is taken by every worker, and ends when the key is revoked', PATIENCE, async (t) => {
  const house = await startTokenHouse(t);
  const { key, document } = await house.key({
    scopes: ['chat', 'embed'],
    tenant: 'acme',
    models: ['small-*'],
    labels: { team: 'red' },
  });
  const { status, headers, body } = await house.post('/oauth/token', { ...exchangeOf(key), scope: 'chat' });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal(body.token_type, 'Bearer');
  assert.equal(body.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token');
  assert.equal(body.scope, 'chat');
  assert.equal(body.refresh_token, undefined);
  assert.equal(decodeProtectedHeader(body.access_token).typ, 'at+jwt');
  const { iat = 0, exp = 0, jti, ...claims } = decodeJwt(body.access_token);
  assert.equal(exp - iat, 1800);
  assert.ok(jti);
  assert.deepEqual(claims, {
    iss: house.issuer,
    aud: house.issuer,
    sub: 'alice',
    client_id: document.id,
    scope: 'chat',
    tenant: 'acme',
    models: ['small-*'],
    team: 'red',
    sid: document.id,
  });
  assert.deepEqual(await house.ask(body.access_token), [200]);
  const other = await house.key({ principal: 'bob' });
  const kept = (await house.post('/oauth/token', exchangeOf(other.key))).body.access_token;
  const revoked = revokeKey(document);
  await house.store.write([
    { op: 'put', kind: KEY_KIND, id: document.id, value: revoked, lookups: lookupsOf(revoked) },
  ]);
  const took = await until(house, body.access_token, 401);
  t.diagnostic(`revoked in every worker after ${took} ms`);
  assert.deepEqual(await house.ask(kept), [200]);
  assert.equal((await house.post('/oauth/token', exchangeOf(key))).body.error, 'invalid_request');
});

test('refresh tokens rotate, survive a restart, and end the login when one is used twice', PATIENCE, async (t) => {
  const house = await startTokenHouse(t, { refreshGrace: '1h' });
  const { key, document } = await house.key({ scopes: ['chat'] });
  const begin = await house.post('/oauth/token', { ...exchangeOf(key), scope: 'chat offline_access' });
  assert.equal(begin.body.scope, 'chat');
  const client = { client_id: document.id, client_secret: key };
  const refresh = (token: string) =>
    house.post('/oauth/token', { ...client, grant_type: 'refresh_token', refresh_token: token });
  // Many at once: they are one use, and have one successor.
  const parallel = await Promise.all(Array.from({ length: 8 }, () => refresh(begin.body.refresh_token)));
  assert.deepEqual([...new Set(parallel.map(({ status }) => status))], [200]);
  assert.equal(new Set(parallel.map(({ body }) => body.refresh_token)).size, 1);
  const second = parallel[0]?.body.refresh_token ?? '';
  // From here on whoever uses one again a second later is somebody else.
  await house.restart({ refreshGrace: '1s' });
  const third = await refresh(second);
  assert.equal(third.status, 200, JSON.stringify(third.body));
  assert.deepEqual(await house.ask(third.body.access_token), [200]);
  await setTimeout(1100);
  const thief = await refresh(second);
  assert.deepEqual([thief.status, thief.body.error], [400, 'invalid_grant']);
  const took = await until(house, third.body.access_token, 401);
  t.diagnostic(`the login was ended in every worker after ${took} ms`);
  assert.equal((await refresh(third.body.refresh_token)).body.error, 'invalid_grant');
});
