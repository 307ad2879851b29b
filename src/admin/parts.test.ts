import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cookieOf, setCookie } from './access/cookie.ts';
import { seal, sealKey, unseal } from './access/seal.ts';
import { OPERATIONS, openApiDocument } from './operations.ts';
import { ifMatch, mergePatch } from './resources/conditions.ts';
import { Router } from './router.ts';

test('paths', () => {
  const run = () => ({ status: 200, fields: {}, body: '' });
  const operation = (path: string) => ({
    method: 'GET' as const,
    path,
    what: '',
    role: 'viewer' as const,
    tag: '',
    run,
  });
  const router = new Router(['/', '/a/{id}', '/a/{id}/b', '/a/special'].map(operation));
  assert.deepEqual(router.find('/')?.params, {});
  assert.deepEqual(router.find('/a/x%2Fy')?.params, { id: 'x/y' });
  assert.deepEqual(router.find('/a/x/b')?.params, { id: 'x' });
  assert.deepEqual(router.find('/a/special')?.params, {});
  for (const path of ['/a', '/a/', '/a/%zz', '/b', '', '//', '/a/x/c'])
    assert.equal(router.find(path), undefined, path);
  assert.throws(() => new Router([operation('/a'), operation('/a')]), /stands twice/);
});

test('If-Match', () => {
  const cases: [string | undefined, ReturnType<typeof ifMatch>][] = [
    [undefined, undefined],
    ['*', 'any'],
    ['"5"', [5]],
    ['"5", "6"', [5, 6]],
    ['W/"5"', []],
    ['5', []],
    ['', []],
  ];
  for (const [field, versions] of cases) assert.deepEqual(ifMatch(field), versions, field);
});

test('merge patches (RFC 7396, appendix A)', () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases) assert.deepEqual(mergePatch(target, patch), result);
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
      const once = mergePatch(target, patch);
      assert.deepEqual(mergePatch(once, patch), once);
    }),
  );
  mergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}'));
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

test('what is sealed opens with the same key for the same purpose, and not when a bit is changed', () => {
  const key = sealKey('secret');
  const text = seal(key, 'session', { name: 'a' });
  assert.deepEqual(unseal(key, 'session', text), { name: 'a' });
  assert.equal(unseal(key, 'login', text), undefined);
  assert.equal(unseal(sealKey('other'), 'session', text), undefined);
  const bytes = Buffer.from(text, 'base64url');
  for (let i = 0; i < bytes.length; i++) {
    const spoiled = Buffer.from(bytes);
    spoiled[i] = (spoiled[i] as number) ^ 1;
    assert.equal(unseal(key, 'session', spoiled.toString('base64url')), undefined);
  }
  fc.assert(fc.property(fc.string(), (nonsense) => assert.equal(unseal(key, 'session', nonsense), undefined)));
});

test('cookies', () => {
  assert.equal(cookieOf('a=1; gatehouse_session=x.y; b=2', 'gatehouse_session'), 'x.y');
  for (const field of [undefined, '', 'a=1', 'gatehouse_session=1; gatehouse_session=2']) {
    assert.equal(cookieOf(field, 'gatehouse_session'), undefined);
  }
  assert.match(
    setCookie('a', 'b', 60, 'Strict', true),
    /^a=b; Path=\/; Max-Age=60; HttpOnly; SameSite=Strict; Secure$/,
  );
});

test('the OpenAPI document has every operation, each under a name of its own', () => {
  const { openapi, paths } = openApiDocument() as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  assert.equal(openapi, '3.1.0');
  const ids = Object.values(paths).flatMap((at) => Object.values(at).map(({ operationId }) => operationId));
  assert.equal(ids.length, OPERATIONS.length);
  assert.equal(new Set(ids).size, ids.length);
  for (const { method, path } of OPERATIONS) assert.ok(paths[path]?.[method.toLowerCase()], `${method} ${path}`);
});
