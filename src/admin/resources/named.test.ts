import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { makeCertificate } from '../../../test/certificate.ts';
import { startApi } from '../api.fixture.ts';

test('plans and tenants are kept as they are written, and checked before', async (t) => {
  const { ask, store } = await startApi(t);
  const plan = { permissions: { models: ['small-*'], maxBody: '1MiB' }, trialPeriod: '14d' };
  const made = await ask('admin', 'POST /api/v1/plans', { id: 'team', ...plan });
  assert.equal(made.status, 201);
  assert.deepEqual((await store.get('plan', 'team'))?.value, plan);
  const wrong = await ask(
    'admin',
    'PATCH /api/v1/plans/team',
    { permissions: { maxBody: 'much' } },
    { 'if-match': made.etag },
  );
  assert.deepEqual([wrong.status, wrong.body.errors[0].path], [422, 'permissions.maxBody']);
  const changed = await ask(
    'admin',
    'PATCH /api/v1/plans/team',
    { permissions: { maxBody: null } },
    { 'if-match': made.etag },
  );
  assert.deepEqual(changed.body.permissions, { models: ['small-*'] });
  assert.equal((await ask('admin', 'POST /api/v1/plans', plan)).status, 422, 'without an id');

  const trialEndsAt = '2030-01-01T00:00:00.000Z';
  const tenant = await ask('admin', 'POST /api/v1/tenants', { id: 'acme', plan: 'team', trialEndsAt });
  assert.deepEqual([tenant.status, tenant.body.trialEndsAt], [201, trialEndsAt]);
  assert.equal(
    (await store.get<{ trialEndsAt: number }>('tenant', 'acme'))?.value.trialEndsAt,
    Date.parse(trialEndsAt),
  );
  const upgraded = await ask(
    'admin',
    'PATCH /api/v1/tenants/acme',
    { plan: 'enterprise', trialEndsAt: null },
    { 'if-match': tenant.etag },
  );
  assert.deepEqual([upgraded.body.plan, upgraded.body.trialEndsAt], ['enterprise', undefined]);
  assert.equal(upgraded.body.createdAt, tenant.body.createdAt);
  const key = await ask('admin', 'POST /api/v1/keys', { principal: 'alice', tenant: 'acme' });
  const gone = { 'if-match': upgraded.etag };
  const kept = await ask('admin', 'DELETE /api/v1/tenants/acme', undefined, gone);
  assert.deepEqual([kept.status, kept.body.code], [409, 'in_use']);
  await ask('admin', `DELETE /api/v1/keys/${key.body.id}`, undefined, { 'if-match': key.etag });
  assert.equal((await ask('admin', 'DELETE /api/v1/tenants/acme', undefined, gone)).status, 204);
});

test("a domain is one tenant's, and a tenant that has domains with certificates stays", async (t) => {
  const { ask } = await startApi(t);
  const one = await ask('admin', 'POST /api/v1/tenants', { id: 'one', domains: ['new.test', '*.new.test'] });
  assert.equal(one.status, 201);
  const two = await ask('admin', 'POST /api/v1/tenants', { id: 'two', domains: ['other.test', 'new.test'] });
  assert.deepEqual([two.status, two.body.detail], [409, 'The domain new.test belongs to the tenant one already.']);
  const free = await ask('admin', 'PATCH /api/v1/tenants/one', { domains: [] }, { 'if-match': one.etag });
  assert.equal(free.status, 200);
  assert.equal((await ask('admin', 'POST /api/v1/tenants', { id: 'two', domains: ['new.test'] })).status, 201);
  assert.equal((await ask('admin', 'POST /api/v1/domains', { id: 'x.test', tenant: 'one', acme: true })).status, 201);
  const kept = await ask('admin', 'DELETE /api/v1/tenants/one', undefined, { 'if-match': free.etag });
  assert.deepEqual([kept.status, kept.body.code], [409, 'in_use']);
});

test('domains: the key is never shown, and what does not fit is refused', async (t) => {
  const { ask, clock, notices, store } = await startApi(t);
  clock.jumpWall(Date.now() - clock.wall());
  const name = 'chat.example.com';
  const { certificate, key } = makeCertificate({ name });
  const made = await ask('operator', 'POST /api/v1/domains', { id: name, tenant: 'acme', certificate, key });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const listed = await ask('operator', 'GET /api/v1/domains?tenant=acme');
  const changed = await ask(
    'operator',
    `PATCH /api/v1/domains/${name}`,
    { listener: 'public' },
    { 'if-match': made.etag },
  );
  assert.deepEqual([changed.status, changed.body.listener], [200, 'public']);
  assert.equal((await store.get<{ key: string }>('domain', name))?.value.key, key, 'what is not shown stays');
  const secret = key.split('\n')[1] as string;
  const told = JSON.stringify([made.body, listed.body, changed.body, notices, await store.history()]);
  assert.ok(!told.includes(secret));
  const other = await ask('operator', 'POST /api/v1/domains', { id: 'other.example.com', certificate, key });
  assert.deepEqual([other.status, other.body.errors[0].path], [422, 'certificate']);
  assert.match(other.body.detail, /is for chat\.example\.com/);
  for (const document of [{ id: 'a.example.com' }, { id: '*.example.com', acme: true }, { id: 'NO', acme: true }]) {
    assert.equal((await ask('operator', 'POST /api/v1/domains', document)).status, 422, JSON.stringify(document));
  }
  assert.equal((await ask('operator', 'POST /api/v1/domains', { id: 'a.example.com', acme: true })).status, 201);
});

test('clients of the token service: a secret once, and none for those who cannot keep one', async (t) => {
  const { ask, store } = await startApi(t);
  const made = await ask('admin', 'POST /api/v1/clients', { id: 'batch', tenant: 'acme', scopes: ['inference'] });
  assert.deepEqual([made.status, made.body.public], [201, false]);
  const secret = String(made.body.secret);
  assert.match(secret, /^gh_client_/);
  const changed = await ask('admin', 'PATCH /api/v1/clients/batch', { name: 'nightly' }, { 'if-match': made.etag });
  assert.deepEqual([changed.status, changed.body.secret, changed.body.hash], [200, undefined, undefined]);
  const kept = await store.get<{ hash: string }>('client', 'batch');
  assert.equal(kept?.value.hash.length, 43, 'a change keeps the secret');
  assert.ok(!JSON.stringify([kept, await store.history()]).includes(secret));
  const open = { id: 'cli', public: true };
  assert.equal((await ask('admin', 'POST /api/v1/clients', open)).status, 422, 'it could not prove that it is itself');
  assert.equal((await ask('admin', 'POST /api/v1/clients', { ...open, grants: ['device'] })).status, 201);
});

test('a plan or listener that is not there is refused when it is named, and a plan that is in use stays', async (t) => {
  const { ask } = await startApi(t);
  const tenant = { id: 'acme', plan: 'tem' };
  await ask('admin', 'POST /api/v1/plans', { id: 'team' });
  const unknown = await ask('admin', 'POST /api/v1/tenants', tenant);
  assert.deepEqual([unknown.status, unknown.body.errors[0].path], [422, 'plan']);
  assert.match(unknown.body.detail, /there is no plan "tem".*make it first.*there are enterprise, gold, team/);
  const made = await ask('admin', 'POST /api/v1/tenants', { ...tenant, plan: 'team' });
  assert.equal(made.status, 201);
  const ifMatch = { 'if-match': '*' };
  assert.equal((await ask('admin', 'PATCH /api/v1/tenants/acme', { plan: 'x' }, ifMatch)).status, 422);
  const used = await ask('admin', 'DELETE /api/v1/plans/team', undefined, ifMatch);
  assert.deepEqual([used.status, used.body.code], [409, 'in_use']);
  assert.match(used.body.detail, /tenant acme/);
  assert.equal((await ask('admin', 'PATCH /api/v1/tenants/acme', { plan: 'enterprise' }, ifMatch)).status, 200);
  assert.equal((await ask('admin', 'DELETE /api/v1/plans/team', undefined, ifMatch)).status, 204);
  assert.equal((await ask('admin', 'POST /api/v1/keys', { principal: 'a', plan: 'x' })).status, 422);
  assert.equal((await ask('admin', 'POST /api/v1/clients', { id: 'c', plan: 'x' })).status, 422);

  const domain = { id: 'chat.example.com', acme: true };
  for (const [listener, why] of [
    ['nowhere', /no listener "nowhere".*public do/],
    ['plain', /serves no domains of the store: set listeners\.plain\.tls\.domains\.store/],
  ] as const) {
    const refused = await ask('operator', 'POST /api/v1/domains', { ...domain, listener });
    assert.deepEqual([refused.status, refused.body.errors[0].path], [422, 'listener']);
    assert.match(refused.body.detail, why);
  }
  assert.equal((await ask('operator', 'POST /api/v1/domains', { ...domain, listener: 'public' })).status, 201);
});

test('clients that prove themselves by keys have no secret, and never become public', async (t) => {
  const { ask } = await startApi(t);
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const made = await ask('admin', 'POST /api/v1/clients', { id: 'signing', keys: [pem] });
  assert.deepEqual([made.status, made.body.secret, made.body.public], [201, undefined, false]);
  const wrong = await ask('admin', 'POST /api/v1/clients', { id: 'other', keys: ['nonsense'] });
  assert.deepEqual([wrong.status, wrong.body.errors[0].path], [422, 'keys[0]']);
  const both = await ask('admin', 'POST /api/v1/clients', { id: 'other', keys: [pem], public: true });
  assert.equal(both.status, 422);
  const ifMatch = { 'if-match': '*' };
  assert.equal((await ask('admin', 'PATCH /api/v1/clients/signing', { keys: null }, ifMatch)).status, 422);
  assert.equal((await ask('admin', 'PATCH /api/v1/clients/signing', { keys: [pem, pem] }, ifMatch)).status, 200);
  await ask('admin', 'POST /api/v1/clients', { id: 'batch' });
  assert.equal((await ask('admin', 'PATCH /api/v1/clients/batch', { keys: [pem] }, ifMatch)).status, 422);
});
