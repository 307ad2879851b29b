import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyConsumer, packKey } from './directory.ts';
import { KeyTable } from './table.ts';

const hash = Buffer.alloc(32, 1).toString('base64url');
const all = {
  id: 'k',
  hash,
  pepper: '0123abcd',
  hint: 'gh_live_0Ab…wxyz',
  name: 'laptop',
  principal: 'alice',
  tenant: 'acme',
  plan: 'team',
  scopes: ['a', 'b'],
  roles: ['r'],
  models: ['m*'],
  networks: ['10.0.0.0/8'],
  createdAt: 5,
  notBefore: 6,
  expiresAt: 7,
  disabled: true,
  trial: true,
  labels: { team: 'x' },
};

test('what workers need travels, and no more', () => {
  const { pepper: _, hint: _h, name: _n, createdAt: _c, ...needed } = all;
  assert.deepEqual(packKey('k', all), needed);
  const { plan: _p, roles: _r, models: _m, networks: _w, notBefore: _b, trial: _t, labels: _l, ...plain } = needed;
  const empty = { plan: '', roles: [], networks: [], labels: {}, trial: false };
  const usual = { ...plain, ...empty, pepper: '', hint: '', name: '', createdAt: 5 };
  assert.deepEqual(packKey('k', usual), plain, 'the short way says the same');
  assert.deepEqual(packKey('k', { id: 'k', hash, principal: 'alice', tenant: '', scopes: [], disabled: false }), {
    id: 'k',
    hash,
    principal: 'alice',
  });
});

test('a key arrives in the table as it was', () => {
  const table = new KeyTable();
  const consumer = keyConsumer(table);
  consumer.put('k', JSON.parse(JSON.stringify(packKey('k', all))));
  const row = table.find(Buffer.alloc(32, 1));
  const { tenant, plan, scopes, roles, models, claims, allows } = table.profile(row);
  assert.deepEqual([tenant, plan, [...scopes], [...roles], models], ['acme', 'team', ['a', 'b'], ['r'], ['m*']]);
  assert.deepEqual(claims, { team: 'x', trial: true });
  assert.deepEqual([allows?.('10.1.2.3'), allows?.('192.0.2.1')], [true, false]);
  assert.deepEqual([table.notBefore(row), table.expiresAt(row), table.disabled(row)], [6, 7, true]);
  consumer.remove('k');
  assert.equal(table.size, 0);
});

const wrong: [what: string, change: object][] = [
  ['a short hash', { hash: 'x' }],
  ['no principal', { principal: undefined }],
  ['a principal with a space', { principal: 'a b' }],
  ['scopes that are none', { scopes: 'a' }],
  ['a scope that is no word', { scopes: [''] }],
  ['a tenant that is a number', { tenant: 5 }],
  ['a time that is a text', { expiresAt: 'tomorrow' }],
  ['disabled by a text, which must not count as false', { disabled: 'yes' }],
  ['roles that are none', { roles: 'r' }],
  ['labels that are a list', { labels: [] }],
  ['trial by a text', { trial: 'no' }],
  ['a plan with a space', { plan: 'a b' }],
  ['a network that is none', { networks: ['10.0.0.0/99'] }],
  ['a key that is unknown', { sudo: true }],
];
for (const [what, change] of wrong) {
  test(`a document is refused: ${what}`, () => {
    for (const document of [all, { hash, id: 'k', principal: 'alice' }]) {
      assert.throws(() => packKey('k', { ...document, ...change }), { name: 'ZodError' });
    }
    for (const none of [null, 5, 'x', undefined]) assert.throws(() => packKey('k', none), { name: 'ZodError' });
  });
}

test('keys that end or come back are news once all have been told', () => {
  const said: string[] = [];
  const news = { ended: (id: string) => said.push(`${id} ended`), usable: (id: string) => said.push(`${id} usable`) };
  const consumer = keyConsumer(new KeyTable(), news);
  const packed = (id: string, disabled: boolean) => packKey(id, { id, hash, principal: 'alice', disabled });
  consumer.begin();
  consumer.put('a', packed('a', true));
  consumer.complete();
  assert.deepEqual(said, []);
  consumer.put('a', packed('a', false));
  consumer.put('a', packed('a', true));
  consumer.remove('a');
  assert.deepEqual(said, ['a usable', 'a ended', 'a ended']);
});
