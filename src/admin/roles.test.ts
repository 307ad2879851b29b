import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suffices } from './access/caller.ts';
import { startApi, TOKENS, type Who } from './api.fixture.ts';
import { OPERATIONS } from './operations.ts';

test('every operation answers whose role is enough, and nobody else', async (t) => {
  const { ask, clock } = await startApi(t);
  for (const { method, path, role, group, tenants } of OPERATIONS) {
    const what = `${method} ${path.replace('{id}', 'none')}`;
    const document = method === 'GET' || method === 'DELETE' ? undefined : {};
    const free = role === 'none' || group === 'health';
    const nobody = await ask('nobody', what, document);
    if (free) assert.notEqual(nobody.status, 401, what);
    else {
      assert.deepEqual([nobody.status, nobody.body.code], [401, 'unauthorized'], what);
      assert.match(nobody.fields.get('www-authenticate') ?? '', /^Bearer /, what);
    }
    for (const who of ['viewer', 'operator', 'admin', 'acme'] as const satisfies Who[]) {
      const answer = await ask(who, what, document);
      const may =
        free || (who === 'acme' ? tenants === true && suffices('operator', role) : suffices(who, role as 'viewer'));
      assert.equal(answer.status === 403, !may, `${who}: ${what}: ${answer.status}`);
      assert.notEqual(answer.status, 401, `${who}: ${what}`);
      assert.ok(answer.status < 500, `${who}: ${what}: ${JSON.stringify(answer.body)}`);
    }
    clock.advance(60_000);
  }
});

test('a wrong token is slowed, and a right one never', async (t) => {
  const { ask, clock } = await startApi(t);
  const wrong = { token: `gh_admin_${'x'.repeat(39)}` };
  const statuses = new Set<number>();
  for (let i = 0; i < 12; i++) statuses.add((await ask(wrong, 'GET /api/status')).status);
  assert.deepEqual([...statuses], [401, 429]);
  const slowed = await ask(wrong, 'GET /api/status');
  assert.match(slowed.body.detail, /Too many failed logins/);
  assert.ok(Number(slowed.fields.get('retry-after')) > 0);
  const made = await ask('admin', 'POST /api/v1/admins', { name: 'x', role: 'viewer' }).catch(() => undefined);
  assert.equal(made?.status, 429, 'one that could be guessed is held up where others have just failed');
  clock.advance(600_000);
  const { body } = await ask('admin', 'POST /api/v1/admins', { name: 'x', role: 'viewer' });
  for (let i = 0; i < 12; i++) await ask(wrong, 'GET /api/status');
  assert.equal(
    (await ask({ token: body.token }, 'GET /api/status')).status,
    200,
    'one of our make is always looked at',
  );
});

test('what is no bearer token is refused, whatever it is', async (t) => {
  const { ask } = await startApi(t);
  for (const authorization of ['Basic eDp5', 'Bearer', `Bearer ${TOKENS.admin} x`, `${TOKENS.admin}`]) {
    const answer = await ask('nobody', 'GET /api/status', undefined, { authorization });
    assert.equal(answer.status, 401, authorization);
  }
});

test('a page of another site changes nothing, and any Host is fine where tokens are asked for', async (t) => {
  const { ask } = await startApi(t);
  const foreign = await ask('admin', 'POST /api/reload', {}, { origin: 'https://evil.example' });
  assert.equal(foreign.status, 403);
  const cross = await ask('admin', 'POST /api/v1/keys', { principal: 'a' }, { 'sec-fetch-site': 'cross-site' });
  assert.equal(cross.status, 403);
  assert.equal((await ask('viewer', 'GET /api/status')).status, 200);
});

test('tokens of the store: made, used, switched off, expired, deleted', async (t) => {
  const { ask, clock, store } = await startApi(t);
  const expiresAt = new Date(clock.wall() + 3_600_000).toISOString();
  const made = await ask('admin', 'POST /api/v1/admins', { name: 'carl', role: 'operator', expiresAt });
  assert.equal(made.status, 201);
  const { token, id } = made.body;
  assert.match(token, /^gh_admin_[0-9A-Za-z]{39}$/);
  const carl = { token };
  assert.equal((await ask(carl, 'GET /api/v1/keys')).status, 200);
  assert.equal((await ask(carl, 'GET /api/v1/admins')).status, 403);
  const shown = await ask('admin', `GET /api/v1/admins/${id}`);
  assert.ok(
    !JSON.stringify(shown.body).includes(token) && shown.body.hash === undefined && shown.body.token === undefined,
  );
  const kept = JSON.stringify(await store.get('adminToken', id)) + JSON.stringify(await store.history());
  assert.ok(!kept.includes(token), 'only its hash is kept');
  const off = await ask('admin', `PATCH /api/v1/admins/${id}`, { disabled: true }, { 'if-match': made.etag });
  assert.equal(off.status, 200);
  assert.equal((await ask(carl, 'GET /api/v1/keys')).status, 401);
  const on = await ask('admin', `PATCH /api/v1/admins/${id}`, { disabled: false }, { 'if-match': off.etag });
  assert.equal((await ask(carl, 'GET /api/v1/keys')).status, 200);
  clock.advance(3_600_000);
  assert.equal((await ask(carl, 'GET /api/v1/keys')).status, 401);
  assert.equal((await ask('admin', `DELETE /api/v1/admins/${id}`, undefined, { 'if-match': on.etag })).status, 204);
});
