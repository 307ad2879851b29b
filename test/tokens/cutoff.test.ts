/** What ends a key or a client in the admin API ends its tokens by the same transaction, in every worker. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { KEY_KIND, REVOCATION_KIND, revocationPut } from '../../src/policy/access/access.ts';
import { TENANT_KIND } from '../../src/policy/authorize/config.ts';
import { CLIENT_KIND, OWN_ISSUER } from '../../src/policy/token/config.ts';
import { untilAll } from '../workers.ts';
import { exchangeOf, startTokenHouse, type TokenHouse } from './service.ts';

const TOKEN = 'the-token-of-the-first-admin';
const PATIENCE = { timeout: 180_000 };
const ADMIN = {
  address: '127.0.0.1:0',
  access: { tokens: [{ name: 'first', token: TOKEN, role: 'admin' }] },
  anonymous: ['metrics'],
};

type Shown = Readonly<Record<'id' | 'key' | 'secret', string>>;

async function start(t: TestContext) {
  const house = await startTokenHouse(t, {}, { admin: ADMIN });
  const admin = async (method: string, path: string, body?: object, more: Record<string, string> = {}) => {
    const answer = await fetch(`${house.gateway.adminUrl}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...more },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as Shown;
  };
  return { house, admin };
}

/** Until every worker answers so; the milliseconds that took. */
const until = (house: TokenHouse, token: string, status: number) => untilAll(() => house.ask(token), status);

/** Both were written at once: nobody can see the one without the other. */
async function together({ store }: TokenHouse, kind: string, id: string, named: 'session' | 'client'): Promise<void> {
  const put = revocationPut({ kind: named, issuer: OWN_ISSUER, value: id });
  const [one, other] = await Promise.all([store.get(kind, id), store.get(REVOCATION_KIND, put.id)]);
  assert.ok(other !== undefined, 'the revocation is not there');
  if (one !== undefined) assert.equal(other.version, one.version);
}

test(
  'a key that is switched off, revoked or deleted ends its tokens; new ones hold when it is back',
  PATIENCE,
  async (t) => {
    const { house, admin } = await start(t);
    const made = await admin('POST', 'keys', { principal: 'alice' });
    const tokenOf = async ({ key }: Shown) => {
      const { status, body } = await house.post('/oauth/token', exchangeOf(key));
      assert.equal(status, 200, JSON.stringify(body));
      return body.access_token;
    };
    const first = await tokenOf(made);
    await until(house, first, 200);
    await admin('PATCH', `keys/${made.id}`, { disabled: true }, { 'if-match': '*' });
    t.diagnostic(`switched off: refused by every worker after ${await until(house, first, 401)} ms`);
    await together(house, KEY_KIND, made.id, 'session');
    // At once: tokens tell their time in whole seconds, and the old one and the new one may be of the same.
    await admin('PATCH', `keys/${made.id}`, { disabled: false }, { 'if-match': '*' });
    const second = await tokenOf(made);
    await until(house, second, 200);
    assert.deepEqual(await house.ask(first), [401]);
    await admin('POST', `keys/${made.id}/revoke`, {});
    t.diagnostic(`revoked: refused by every worker after ${await until(house, second, 401)} ms`);
    await together(house, KEY_KIND, made.id, 'session');
    const other = await admin('POST', 'keys', { principal: 'bob' });
    // Off and on again within a second or so: what was given out before has ended, what comes after holds.
    const before = await tokenOf(other);
    await admin('PATCH', `keys/${other.id}`, { disabled: true }, { 'if-match': '*' });
    await admin('PATCH', `keys/${other.id}`, { disabled: false }, { 'if-match': '*' });
    const after = await tokenOf(other);
    await until(house, before, 401);
    await until(house, after, 200);
    assert.deepEqual(await house.ask(before), [401]);
    const third = await tokenOf(other);
    await until(house, third, 200);
    await admin('DELETE', `keys/${other.id}`, undefined, { 'if-match': '*' });
    t.diagnostic(`deleted: refused by every worker after ${await until(house, third, 401)} ms`);
    await together(house, KEY_KIND, other.id, 'session');
  },
);

test('a client that is switched off or deleted ends its tokens; new ones hold when it is back', PATIENCE, async (t) => {
  const { house, admin } = await start(t);
  const tokenOf = async ({ id, secret }: Shown) => {
    const form = { grant_type: 'client_credentials', client_id: id, client_secret: secret };
    const { status, body } = await house.post('/oauth/token', form);
    assert.equal(status, 200, JSON.stringify(body));
    return body.access_token;
  };
  const batch = await admin('POST', 'clients', { id: 'batch' });
  const first = await tokenOf(batch);
  await until(house, first, 200);
  await admin('PATCH', 'clients/batch', { disabled: true }, { 'if-match': '*' });
  t.diagnostic(`switched off: refused by every worker after ${await until(house, first, 401)} ms`);
  await together(house, CLIENT_KIND, 'batch', 'client');
  await admin('PATCH', 'clients/batch', { disabled: false }, { 'if-match': '*' });
  const second = await tokenOf(batch);
  await until(house, second, 200);
  assert.deepEqual(await house.ask(first), [401]);
  await admin('DELETE', 'clients/batch', undefined, { 'if-match': '*' });
  t.diagnostic(`deleted: refused by every worker after ${await until(house, second, 401)} ms`);
  await together(house, CLIENT_KIND, 'batch', 'client');
  // Another one by the same name is not held to what the first has done, however often within a second.
  const again = await admin('POST', 'clients', { id: 'batch' });
  await until(house, await tokenOf(again), 200);
  assert.deepEqual(await house.ask(second), [401]);
  const old = [first, second];
  for (let i = 0; i < 3; i++) {
    old.push(await tokenOf(again));
    await admin('PATCH', 'clients/batch', { disabled: true }, { 'if-match': '*' });
    await admin('PATCH', 'clients/batch', { disabled: false }, { 'if-match': '*' });
  }
  const newest = await tokenOf(again);
  await until(house, newest, 200);
  // A worker that has not heard of the last change takes both.
  for (const token of old) await until(house, token, 401);
  assert.deepEqual(await house.ask(newest), [200]);
});

test('keys of a tenant that is switched off, or whose trial is over, get no tokens', PATIENCE, async (t) => {
  const { house } = await start(t);
  const { key } = await house.key({ principal: 'alice', tenant: 'acme' });
  const put = (more: object) =>
    house.store.write([{ op: 'put', kind: TENANT_KIND, id: 'acme', value: { id: 'acme', ...more } }]);
  for (const [more, status, why] of [
    [{}, 200, undefined],
    [{ disabled: true }, 400, /switched off/],
    [{ trialEndsAt: Date.now() - 1000 }, 400, /trial is over/],
    [{ trialEndsAt: Date.now() + 3_600_000 }, 200, undefined],
  ] as const) {
    await put(more);
    const answer = await house.post('/oauth/token', exchangeOf(key));
    assert.equal(answer.status, status, JSON.stringify(more));
    if (why !== undefined) assert.match(answer.text, why);
  }
});
