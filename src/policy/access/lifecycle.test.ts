import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KeyDocument } from './document.ts';
import { keyFault } from './key.ts';
import { changeKey, createKey, isUsable, lookupsOf, type Minted, revokeKey, rotateKey, shownKey } from './lifecycle.ts';
import { digestKey, pepperName } from './pepper.ts';

const NOW = 1_750_000_000_000;
const DAY = 86_400_000;
const pepper = 'a pepper that is long enough for these tests';
const mint = { pepper, now: NOW };

function made(result: ReturnType<typeof createKey>): Minted {
  if ('refused' in result) assert.fail(result.refused);
  return result;
}
const make = (more: object = {}, others: KeyDocument[] = []) =>
  createKey({ principal: 'alice', tenant: 'acme', scopes: ['inference'], ...more }, others, mint);

test('a key that was made is kept as its hash and a hint only', () => {
  const { key, document } = made(make({ name: 'laptop' }));
  assert.equal(keyFault(key), undefined);
  assert.equal(document.hash, digestKey(pepper, key).toString('base64url'));
  assert.equal(document.pepper, pepperName(pepper));
  assert.ok(!JSON.stringify(document).includes(key.slice(12, -4)));
  assert.equal(document.hint, `${key.slice(0, 11)}…${key.slice(-4)}`);
  assert.deepEqual([document.principal, document.createdAt, document.disabled], ['alice', NOW, false]);
  assert.ok(!('hash' in shownKey(document)) && !('mode' in document));
  assert.deepEqual(lookupsOf(document), [`hash:${document.hash}`]);
});

describe('a key is not made', () => {
  const expired = { ...made(make()).document, expiresAt: NOW };
  const good = made(make()).document;
  const cases: [string, ReturnType<typeof createKey>, RegExp | undefined][] = [
    ['beside one', make({}, [good]), undefined],
    [
      'beside two',
      make({}, [good, { ...good, id: 'key_b' }]),
      /alice has 2 keys already \(key_\w+ and key_b\): revoke one/,
    ],
    ['beside one and an expired one', make({}, [good, expired]), undefined],
    ['beside one and a revoked one', make({}, [good, revokeKey(good)]), undefined],
    ['without a pepper', createKey({ principal: 'a' }, [], { ...mint, pepper: '' }), /set access\.pepper/],
    ['when it has expired', make({ expiresAt: NOW }), /have expired already/],
    ['when it expires before it is valid', make({ notBefore: NOW + 9, expiresAt: NOW + 9 }), /before it is valid/],
  ];
  for (const [what, result, refused] of cases) {
    test(what, () => {
      if (refused === undefined) made(result);
      else assert.match('refused' in result ? result.refused : '', refused);
    });
  }
  test('when the order is wrong', () => {
    assert.throws(() => make({ scopes: ['two words'] }), { name: 'ZodError' });
    assert.throws(() => make({ networks: ['10.0.0.0/33'] }), { name: 'ZodError' });
    assert.throws(() => make({ hash: 'mine' }), { name: 'ZodError' });
  });
});

describe('rotation', () => {
  const old = { ...made(make({ mode: 'test', labels: { team: 'a' } })).document, createdAt: NOW - 10 * DAY };

  test('gives a new key that may do the same, and lets the old one go on for a while', () => {
    const result = rotateKey(old, [old], mint);
    if ('refused' in result) assert.fail(result.refused);
    assert.match(result.key, /^gh_test_/);
    assert.notEqual(result.document.id, old.id);
    const { tenant, principal, scopes, labels } = result.document;
    assert.deepEqual(
      { tenant, principal, scopes, labels },
      { tenant: 'acme', principal: 'alice', scopes: ['inference'], labels: { team: 'a' } },
    );
    assert.equal(result.old.expiresAt, NOW + DAY);
    assert.ok(isUsable(result.old, NOW) && !isUsable(result.old, NOW + DAY));
  });

  test('at once revokes the old one', () => {
    const result = rotateKey(old, [old, { ...old, id: 'other' }], mint, 0);
    if ('refused' in result) assert.fail(result.refused);
    assert.ok(result.old.disabled);
  });

  test('never makes a third valid key, nor one from a key that is not valid', () => {
    assert.match(
      String((rotateKey(old, [old, { ...old, id: 'other' }], mint) as { refused: string }).refused),
      /2 keys/,
    );
    assert.match(String((rotateKey(revokeKey(old), [], mint) as { refused: string }).refused), /not valid any more/);
  });

  test('neither prolongs an old key nor shortens the life of the new one', () => {
    const ending = { ...old, expiresAt: NOW + 3600_000 };
    const result = rotateKey(ending, [ending], mint);
    if ('refused' in result) assert.fail(result.refused);
    assert.equal(result.old.expiresAt, NOW + 3600_000);
    assert.equal(result.document.expiresAt, NOW + 10 * DAY + 3600_000);
  });
});

test('a change leaves alone what it does not name, and cannot touch what a key is', () => {
  const key = made(make()).document;
  assert.deepEqual(changeKey(key, { scopes: ['x'] }), { ...key, scopes: ['x'] });
  assert.throws(() => changeKey(key, { scopes: ['two words'] }), { name: 'ZodError' });
  for (const fixed of ['hash', 'principal', 'id', 'pepper']) {
    assert.throws(() => changeKey(key, { [fixed]: 'x' }), /never changes/, fixed);
  }
});
