/** What a caller of one tenant sees, and may do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApi } from '../api.fixture.ts';

test('a caller of one tenant sees and changes what is its own, and gives no more than it may', async (t) => {
  const { ask } = await startApi(t);
  const foreign = await ask('admin', 'POST /api/v1/keys', { principal: 'bob', tenant: 'other' });
  const vip = await ask('admin', 'POST /api/v1/keys', {
    principal: 'vip',
    tenant: 'acme',
    plan: 'gold',
    roles: ['r'],
    labels: { a: 'b' },
  });
  const own = await ask('acme', 'POST /api/v1/keys', { principal: 'alice', scopes: ['inference'] });
  assert.deepEqual([own.status, own.body.tenant], [201, 'acme']);
  const { body } = await ask('acme', 'GET /api/v1/keys?tenant=other');
  assert.ok(body.items.length === 2 && body.items.every(({ tenant }) => tenant === 'acme'));
  for (const what of [`GET /api/v1/keys/${foreign.body.id}`, `POST /api/v1/keys/${foreign.body.id}/revoke`]) {
    assert.equal((await ask('acme', what)).status, 404, what);
  }
  assert.equal((await ask('acme', 'POST /api/v1/keys', { principal: 'x', tenant: 'other' })).status, 403);
  // Whether there is a key of somebody else under an id is not told.
  const answers = [];
  for (const id of [foreign.body.id, 'key_that_nobody_has']) {
    const put = await ask('acme', `PUT /api/v1/keys/${id}`, { principal: 'x' }, { 'if-none-match': '*' });
    const post = await ask('acme', 'POST /api/v1/keys', { id, principal: 'x' });
    answers.push([put.status, put.body.detail, post.status, post.body.detail]);
  }
  assert.equal(answers[0]?.[0], 403);
  assert.deepEqual(answers[0], answers[1]);
  for (const more of [{ plan: 'gold' }, { roles: ['admin'] }, { scopes: ['admin'] }, { labels: { level: '9' } }]) {
    assert.equal(
      (await ask('acme', 'POST /api/v1/keys', { principal: 'x', ...more })).status,
      422,
      JSON.stringify(more),
    );
    const patched = await ask('acme', `PATCH /api/v1/keys/${own.body.id}`, more, { 'if-match': own.etag });
    assert.equal(patched.status, 422, JSON.stringify(more));
  }
  const kept = await ask('acme', `PATCH /api/v1/keys/${vip.body.id}`, { name: 'x' }, { 'if-match': vip.etag });
  assert.deepEqual([kept.status, kept.body.plan, kept.body.roles], [200, 'gold', ['r']]);
  assert.deepEqual(kept.body.labels, { a: 'b' });
  const taken = await ask('acme', `PATCH /api/v1/keys/${vip.body.id}`, { labels: null }, { 'if-match': kept.etag });
  assert.equal(taken.status, 422);
});

test('a caller of one tenant narrows keys, and widens none, whoever has narrowed them', async (t) => {
  const { ask, clock } = await startApi(t);
  const at = (ms: number) => new Date(clock.wall() + ms).toISOString();
  const DAY = 86_400_000;
  const narrow = {
    ...{ principal: 'alice', tenant: 'acme', scopes: ['inference'], networks: ['10.0.0.0/8', '192.0.2.1'] },
    ...{ models: ['small*', 'mid'], expiresAt: at(9 * DAY), notBefore: at(DAY), trial: true, priority: 'test' },
  };
  const made = await ask('admin', 'POST /api/v1/keys', narrow);
  const path = `/api/v1/keys/${made.body.id}`;
  let tag = made.etag;
  const patch = (change: object) => ask('acme', `PATCH ${path}`, change, { 'if-match': tag as string });
  for (const [field, values] of Object.entries({
    networks: [[], ['10.0.0.0/8', '0.0.0.0/0'], ['192.0.2.2']],
    models: [null, ['*'], ['sma*'], ['mid', 'large']],
    expiresAt: [null, at(9 * DAY + 1000)],
    notBefore: [null, at(0)],
    priority: [null, 'batch', 11],
    trial: [false, null],
  }))
    for (const value of values) {
      const { status, body } = await patch({ [field]: value });
      assert.deepEqual([status, body.errors?.[0].path], [422, field], JSON.stringify({ [field]: value }));
    }
  for (const change of [
    { networks: ['10.0.0.0/8'] },
    { models: ['small-chat', 'mid', 'small-b*'] },
    { models: [] },
    { expiresAt: at(8 * DAY), notBefore: at(2 * DAY), priority: 5 },
    { disabled: true },
  ]) {
    const { status, etag, body } = await patch(change);
    assert.equal(status, 200, JSON.stringify([change, body]));
    tag = etag;
  }
  const on = await patch({ disabled: false });
  assert.deepEqual([on.status, on.body.errors[0].path], [422, 'disabled']);
  assert.match(on.body.detail, /a caller of one tenant switches no key on again/);
  assert.equal(
    (await ask('operator', `PATCH ${path}`, { disabled: false }, { 'if-match': tag as string })).status,
    200,
  );
  // A new one in its place is no longer life for what the caller could not make.
  const rotate = (of: { body: { id: string }; etag?: string | undefined }) =>
    ask('acme', `POST /api/v1/keys/${of.body.id}/rotate`, {}, { 'if-match': of.etag as string });
  const order = { tenant: 'acme', expiresAt: at(9 * DAY) };
  const given = await ask('admin', 'POST /api/v1/keys', { ...order, principal: 'vip', roles: ['r'] });
  const own = await ask('acme', 'POST /api/v1/keys', { ...order, principal: 'own' });
  clock.jumpWall(DAY);
  assert.equal((await rotate(given)).body.expiresAt, order.expiresAt);
  assert.equal((await rotate(own)).body.expiresAt, new Date(Date.parse(order.expiresAt) + DAY).toISOString());
});
