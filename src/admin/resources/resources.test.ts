import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreError, type StoreFault } from '../../store/error.ts';
import type { Store } from '../../store/store.ts';
import { startApi } from '../api.fixture.ts';

test('a key: made, shown, changed, rotated, revoked, deleted; each is in the history', async (t) => {
  const { ask, notices, store } = await startApi(t);
  const made = await ask('operator', 'POST /api/v1/keys', {
    principal: 'alice',
    tenant: 'acme',
    scopes: ['inference'],
  });
  assert.equal(made.status, 201);
  const { id, key } = made.body;
  assert.equal(made.fields.get('location'), `/api/v1/keys/${id}`);
  assert.match(key, /^gh_live_/);
  const shown = await ask('viewer', `GET /api/v1/keys/${id}`);
  assert.deepEqual([shown.status, shown.etag, shown.body.key], [200, made.etag, undefined]);
  const whole = { 'if-match': shown.etag };
  const changed = await ask('operator', `PATCH /api/v1/keys/${id}`, { name: 'laptop', labels: { team: 'a' } }, whole);
  assert.deepEqual([changed.status, changed.body.name, changed.body.scopes], [200, 'laptop', ['inference']]);
  assert.notEqual(changed.etag, shown.etag);
  const taken = await ask('operator', `PATCH /api/v1/keys/${id}`, { labels: null }, { 'if-match': changed.etag });
  assert.deepEqual(taken.body.labels, {});
  // What was read goes back as it is.
  const again = await ask('operator', `PUT /api/v1/keys/${id}`, taken.body, { 'if-match': taken.etag });
  assert.deepEqual([again.status, again.etag], [200, taken.etag]);
  const other = { ...taken.body, principal: 'mallory' };
  const moved = await ask('operator', `PUT /api/v1/keys/${id}`, other, { 'if-match': taken.etag });
  assert.deepEqual([moved.status, moved.body.errors[0].path], [422, 'principal']);
  const rotated = await ask(
    'operator',
    `POST /api/v1/keys/${id}/rotate`,
    { overlap: '1h' },
    { 'if-match': taken.etag },
  );
  assert.deepEqual([rotated.status, rotated.body.principal, rotated.body.key === key], [201, 'alice', false]);
  const third = await ask('operator', 'POST /api/v1/keys', { principal: 'alice', tenant: 'acme' });
  assert.deepEqual([third.status, third.body.code], [409, 'refused']);
  assert.match(third.body.detail, /^Principal alice has 2 keys already/);
  const revoked = await ask('operator', `POST /api/v1/keys/${id}/revoke`);
  assert.deepEqual([revoked.status, revoked.body.disabled], [200, true]);
  assert.equal((await ask('operator', `POST /api/v1/keys/${id}/revoke`)).etag, revoked.etag, 'twice is once');
  const back = await ask('operator', 'POST /api/v1/keys', { principal: 'alice', tenant: 'acme' });
  assert.equal(back.status, 201);
  const third2 = await ask('operator', `PATCH /api/v1/keys/${id}`, { disabled: false }, { 'if-match': revoked.etag });
  assert.equal(third2.status, 409, 'it would be the third');
  assert.equal(
    (await ask('operator', `DELETE /api/v1/keys/${id}`, undefined, { 'if-match': revoked.etag })).status,
    204,
  );
  assert.equal((await ask('operator', `GET /api/v1/keys/${id}`)).status, 404);

  const { body } = await ask('operator', `GET /api/v1/changes?kind=key&id=${id}`);
  const history = body.items;
  assert.deepEqual(
    history.map(({ what }) => what),
    ['keys.delete', 'keys.revoke', 'keys.rotate', 'keys.change', 'keys.change', 'keys.create'],
  );
  assert.equal(history[0]?.who, 'otto');
  assert.deepEqual([history[0]?.after, history.at(-1)?.before], [undefined, undefined]);
  const told = JSON.stringify([history, notices, await store.history()]);
  const { hash } = (await store.get<{ hash: string }>('key', back.body.id))?.value ?? { hash: 'none' };
  for (const secret of [key, rotated.body.key, back.body.key, hash]) assert.ok(!told.includes(secret));
  const event = notices.find(({ attributes }) => attributes?.what === 'keys.revoke')?.attributes;
  assert.deepEqual([event?.who, event?.kind, event?.id], ['otto', 'key', id]);
  assert.equal(JSON.parse(String(event?.before)).disabled, false);
  assert.equal(JSON.parse(String(event?.after)).disabled, true);
});

test('no write without the version that was read', async (t) => {
  const { ask } = await startApi(t);
  const { body, etag } = await ask('admin', 'POST /api/v1/keys', { principal: 'alice' });
  const path = `/api/v1/keys/${body.id}`;
  for (const [what, document] of [
    [`PATCH ${path}`, {}],
    [`PUT ${path}`, {}],
    [`DELETE ${path}`, undefined],
    [`POST ${path}/rotate`, {}],
  ] as const) {
    const without = await ask('admin', what, document);
    assert.deepEqual([without.status, without.body.code], [428, 'if_match_required'], what);
    for (const tag of ['"0"', `W/${etag}`, 'nonsense', '"99999"']) {
      const stale = await ask('admin', what, document, { 'if-match': tag });
      assert.deepEqual([stale.status, stale.body.code], [412, 'changed'], `${what} ${tag}`);
    }
  }
  const any = await ask('admin', `PATCH ${path}`, { name: 'x' }, { 'if-match': `"0", ${etag}` });
  assert.equal(any.status, 200);
  assert.equal((await ask('admin', `PATCH ${path}`, { name: 'y' }, { 'if-match': '*' })).status, 200);
});

test('an importance that was given to a key can be taken away', async (t) => {
  const { ask } = await startApi(t);
  for (const [method, change] of [
    ['PATCH', { priority: null }],
    ['PUT', {}],
  ] as const) {
    const { body, etag } = await ask('admin', 'POST /api/v1/keys', { principal: method, priority: 'test' });
    assert.equal(body.priority, 10);
    const path = `/api/v1/keys/${body.id}`;
    assert.equal((await ask('admin', `${method} ${path}`, change, { 'if-match': etag })).status, 200);
    assert.equal((await ask('admin', `GET ${path}`)).body.priority, undefined);
  }
});

test('two writers at once: one of them is told', async (t) => {
  const { ask } = await startApi(t);
  const { body, etag } = await ask('admin', 'POST /api/v1/keys', { principal: 'alice' });
  const patch = (name: string) => ask('admin', `PATCH /api/v1/keys/${body.id}`, { name }, { 'if-match': etag });
  const answers = await Promise.all([patch('a'), patch('b'), patch('c')]);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 412, 412]);
  // Nor do many at once make more keys than there may be.
  const many = await Promise.all(
    Array.from({ length: 6 }, () => ask('admin', 'POST /api/v1/keys', { principal: 'bob' })),
  );
  assert.deepEqual(many.map(({ status }) => status).sort(), [201, 201, 409, 409, 409, 409]);
});

test('ids of clients: the same one twice is told', async (t) => {
  const { ask } = await startApi(t);
  const order = { id: 'mine', principal: 'alice' };
  assert.equal((await ask('admin', 'POST /api/v1/keys', order)).status, 201);
  const again = await ask('admin', 'POST /api/v1/keys', order);
  assert.deepEqual([again.status, again.body.code], [409, 'exists']);
  const declared = await ask('admin', 'POST /api/v1/keys', { ...order, id: 'declared' });
  assert.equal(declared.status, 409);
  assert.match(declared.body.detail, /The id declared is that of a key of the configuration/);
  const put = await ask('admin', 'PUT /api/v1/keys/yours', { principal: 'bob' }, { 'if-none-match': '*' });
  assert.deepEqual([put.status, put.body.id], [201, 'yours']);
  assert.equal(
    (await ask('admin', 'PUT /api/v1/keys/yours', { principal: 'bob' }, { 'if-none-match': '*' })).status,
    409,
  );
  // A revocation is the same however often it is asked for.
  const revocation = { kind: 'id', value: 'jti-1' };
  const one = await ask('operator', 'POST /api/v1/revocations', revocation);
  const two = await ask('operator', 'POST /api/v1/revocations', revocation);
  assert.deepEqual(
    [one.status, two.status, one.body.id === two.body.id, one.etag === two.etag],
    [201, 200, true, true],
  );
});

test('what is wrong is told with its place', async (t) => {
  const { ask } = await startApi(t);
  const cases: [unknown, string][] = [
    [{}, 'principal'],
    [{ principal: 'a', networks: ['10.0.0.0/8', 'nonsense'] }, 'networks[1]'],
    [{ principal: 'a', labels: { x: 1 } }, 'labels.x'],
    [{ principal: 'a', expiresAt: 'tomorrow' }, 'expiresAt'],
    [{ principal: 'a', bogus: 1 }, 'bogus'],
    [{ principal: 'a', hash: 'x' }, 'hash'],
    [[], ''],
    ['null', ''],
  ];
  for (const [document, path] of cases) {
    const answer = await ask('admin', 'POST /api/v1/keys', document);
    assert.equal(answer.status, 422, JSON.stringify(document));
    assert.equal(answer.body.errors[0].path, path);
    assert.match(answer.fields.get('content-type') ?? '', /^application\/problem\+json/);
  }
  const fields = { 'content-type': 'application/json' };
  assert.equal((await ask('admin', 'POST /api/v1/keys', '{"principal":', fields)).status, 400);
  const lost = await ask('admin', 'POST /api/v1/keys', '{"principal":"a","labels":{"__proto__":"x"}}', fields);
  assert.deepEqual([lost.status, lost.body.detail], [400, 'nothing can be called __proto__.']);
  assert.equal((await ask('admin', 'POST /api/v1/keys', '{}', { 'content-type': 'text/plain' })).status, 415);
  assert.equal(
    (await ask('admin', 'POST /api/v1/keys', JSON.stringify({ principal: 'x'.repeat(600_000) }), fields)).status,
    413,
  );
  assert.equal((await ask('admin', 'GET /api/v1/keys?limit=0')).status, 422);
  assert.equal((await ask('admin', 'GET /api/v1/keys/%zz')).status, 404);
  assert.equal((await ask('admin', 'GET /api/v1/keys/none')).status, 404);
  assert.equal((await ask('admin', 'DELETE /api/v1/keys')).status, 405);
  assert.equal((await ask('admin', 'GET /api/v1/changes?since=yesterday')).status, 422);
});

test('lists come in pages, and by tenant', async (t) => {
  const { ask } = await startApi(t);
  for (let i = 0; i < 7; i++) {
    await ask('admin', 'POST /api/v1/keys', {
      id: `key_${i}`,
      principal: `p${i}`,
      tenant: i % 2 === 0 ? 'even' : 'odd',
    });
  }
  const seen: string[] = [];
  let after = '';
  for (let pages = 0; pages < 5; pages++) {
    const { body } = await ask('viewer', `GET /api/v1/keys?limit=3${after === '' ? '' : `&after=${after}`}`);
    seen.push(...body.items.map(({ id }) => id));
    if (body.next === undefined) break;
    after = body.next;
  }
  assert.deepEqual(
    seen,
    [0, 1, 2, 3, 4, 5, 6].map((i) => `key_${i}`),
  );
  assert.equal((await ask('viewer', 'GET /api/v1/keys?tenant=odd')).body.items.length, 3);
});

test('a store that cannot: 503 with the reason, and nothing is written', async (t) => {
  let fault: StoreFault | undefined;
  const broken = (store: Store): Store =>
    new Proxy(store, {
      get(target, name: keyof Store) {
        const value = target[name];
        if (typeof value !== 'function' || name !== 'write' || fault === undefined) {
          return typeof value === 'function' ? value.bind(target) : value;
        }
        return () => Promise.reject(new StoreError(fault as StoreFault, `The store is ${fault}.`));
      },
    });
  const { ask } = await startApi(t, broken);
  for (const one of ['locked', 'readonly', 'corrupt', 'full', 'unreachable', 'closed', 'failed'] as const) {
    fault = one;
    const answer = await ask('admin', 'POST /api/v1/keys', { principal: 'alice' });
    assert.deepEqual([answer.status, answer.body.code], [503, `store_${one}`]);
    assert.match(answer.body.detail, /Nothing was changed/);
    assert.equal(answer.fields.has('retry-after'), one === 'locked' || one === 'unreachable');
  }
  fault = undefined;
  assert.deepEqual((await ask('admin', 'GET /api/v1/keys')).body.items, []);
});
