import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { z } from 'zod';
import { checkRoutes } from './check.ts';
import { routeConfig } from './config.ts';
import { makeHead } from './head.fixture.ts';
import { compileRoutes } from './route.ts';

type Match = z.input<typeof routeConfig>['match'];
type Rewrite = z.input<typeof routeConfig>['rewrite'];

const route = (name: string, match: Match, rewrite?: Rewrite) =>
  routeConfig.parse({ name, match, upstream: 'u', ...(rewrite ? { rewrite } : {}) });
const routesOf = (matches: Record<string, Match>) => Object.entries(matches).map(([name, match]) => route(name, match));
const routerOf = (matches: Record<string, Match>) => compileRoutes(routesOf(matches));

describe('which route wins', () => {
  const router = routerOf({
    any: {},
    anyV1: { path: '/v1/*' },
    wild: { host: '*.example.com' },
    wildDeep: { host: '*.eu.example.com' },
    host: { host: 'api.example.com' },
    hostV1: { host: 'API.example.com', path: '/v1/*' },
    hostChat: { host: 'api.example.com', path: '/v1/chat/*' },
    exact: { host: 'api.example.com', path: '/v1/models' },
    exactPost: { host: 'api.example.com', path: '/v1/models', method: 'POST' },
    exactPostGold: { host: 'api.example.com', path: '/v1/models', method: 'POST', headers: { 'X-Tier': 'gold' } },
    user: { host: 'api.example.com', path: '/v1/users/{id}' },
    userFiles: { host: 'api.example.com', path: '/v1/users/{id}/files' },
    userRest: { host: 'api.example.com', path: '/v1/users/{id}/*' },
    me: { host: 'api.example.com', path: '/v1/users/me' },
    twoVariables: { host: 'api.example.com', path: '/{a}/{b}/deep' },
    debug: { host: 'q.example.org', query: { debug: { present: true } } },
    noDebug: { host: 'q.example.org', query: { debug: { present: false } } },
  });
  const cases: [string, string, string, string | undefined, [string, string][]?][] = [
    ['GET', 'other.org', '/', 'any'],
    ['GET', '', '/x', 'any'],
    ['GET', 'other.org', '/v1/x', 'anyV1'],
    ['GET', 'other.org', '/v1', 'anyV1'],
    ['GET', 'other.org', '/v1/', 'anyV1'],
    ['GET', 'other.org', '/v1x', 'any'],
    ['OPTIONS', 'other.org', '*', 'any'],
    ['GET', 'example.com', '/', 'any'],
    ['GET', '.example.com', '/', 'any'],
    ['GET', 'a.example.com', '/v1/x', 'wild'],
    ['GET', 'a.b.example.com', '/', 'wild'],
    ['GET', 'a.eu.example.com', '/', 'wildDeep'],
    ['GET', 'api.example.com', '/x', 'host'],
    ['GET', 'api.example.com.', '/x', 'host'],
    ['GET', 'api.example.com', '/v1/x', 'hostV1'],
    ['GET', 'api.example.com', '/v1/chat', 'hostChat'],
    ['GET', 'api.example.com', '/v1/chat/completions', 'hostChat'],
    ['GET', 'api.example.com', '/v1/models?x=1', 'exact'],
    ['GET', 'api.example.com', '/v1/models/', 'hostV1'],
    ['GET', 'api.example.com', '/V1/models', 'host'],
    ['POST', 'api.example.com', '/v1/models', 'exactPost'],
    ['POST', 'api.example.com', '/v1/models', 'exactPostGold', [['x-tier', 'gold']]],
    [
      'POST',
      'api.example.com',
      '/v1/models',
      'exactPost',
      [
        ['x-tier', 'gold'],
        ['X-Tier', 'free'],
      ],
    ],
    ['GET', 'api.example.com', '/v1/users/42', 'user'],
    ['GET', 'api.example.com', '/v1/users/me', 'me'],
    ['GET', 'api.example.com', '/v1/users/42/files', 'userFiles'],
    ['GET', 'api.example.com', '/v1/users/42/', 'userRest'],
    ['GET', 'api.example.com', '/v1/users/42/x/y', 'userRest'],
    ['GET', 'api.example.com', '/v1/users/deep', 'user'],
    ['GET', 'api.example.com', '/p/q/deep', 'twoVariables'],
    // Spellings that are equal (RFC 3986 §6.2.2).
    ['GET', 'api.example.com', '/v1/%6Dodels', 'exact'],
    ['GET', 'api.example.com', '//v1//models', 'exact'],
    ['GET', 'api.example.com', '/v1/users/a%2Fb', 'user'],
    // A second reading under a more specific route: refused.
    ['GET', 'api.example.com', '/v1%2Fmodels', undefined],
    ['GET', 'api.example.com', '/v1;x=1/models', undefined],
    ['GET', 'api.example.com', '/v1%5cchat/x', undefined],
    ['GET', 'api.example.com', '/x/../v1/models', undefined],
    ['GET', 'q.example.org', '/?a=1&debug', 'debug'],
    ['GET', 'q.example.org', '/?de%62ug=1', 'debug'],
    ['GET', 'q.example.org', '/?xdebug=1', 'noDebug'],
  ];
  for (const [method, host, target, expected, lines] of cases) {
    test(`${method} ${host}${target} ${lines ?? ''} → ${expected}`, () => {
      assert.equal(router.match(makeHead(method, host, target, lines))?.name, expected);
    });
  }
  test('the reason of a refusal', () => {
    const status = (target: string) => router.refusal(makeHead('GET', 'api.example.com', target)).status;
    assert.equal(status('/v1%2Fmodels'), 400);
    assert.equal(status('/a/../b'), 400);
    assert.equal(routerOf({ a: { path: '/a' } }).refusal(makeHead('GET', 'h', '/b')).status, 404);
  });
  test('a host of very many labels is passed over quickly and correctly', () => {
    assert.equal(router.match(makeHead('GET', `${'a.'.repeat(4000)}example.com`, '/'))?.name, 'wild');
  });
});

describe('routes by model', () => {
  const router = routerOf({
    rest: { path: '/v1/*' },
    gpts: { path: '/v1/*', model: 'gpt-*' },
    gpt4s: { path: '/v1/*', model: ['gpt-4*'] },
    gpt4: { path: '/v1/*', model: ['gpt-4'] },
    get: { path: '/v1/models', method: 'GET' },
  });
  const head = makeHead('POST', 'h', '/v1/chat/completions');
  test('the body is asked for only where a candidate needs it', () => {
    assert.equal(router.match(head)?.needsModel, true);
    assert.equal(router.match(makeHead('GET', 'h', '/v1/models'))?.needsModel, false);
    assert.equal(routerOf({ any: {} }).match(head)?.needsModel, false);
  });
  for (const [model, expected] of [
    ['gpt-4', 'gpt4'],
    ['gpt-4o', 'gpt4s'],
    ['gpt-3.5', 'gpts'],
    ['claude', 'rest'],
    [undefined, 'rest'],
  ] as const) {
    test(`${model} → ${expected}`, () => assert.equal(router.matchModel(head, model)?.name, expected));
  }
});

describe('rewriting', () => {
  const cases: [string, string | undefined, string, string][] = [
    ['/v1/*', undefined, '/v1/x?q', '/v1/x?q'],
    ['/v1/*', '/api/*', '/v1/x?q=1', '/api/x?q=1'],
    ['/v1/*', '/api/*', '/v1', '/api'],
    ['/v1/*', '/api/*', '/v1/', '/api/'],
    ['/v1/*', '/*', '/v1', '/'],
    ['/v1/*', '/*', '/v1//evil.org/x', '/evil.org/x'],
    ['/v1/*', '/*', '/%761/a%2Fb?', '/a%2Fb?'],
    ['/v1/*', '/fixed', '/v1/x?q', '/fixed?q'],
    ['/*', '/base/*', '/a/b', '/base/a/b'],
    ['*', '/base/*', '/a/b', '/base/a/b'],
    ['/v1/models', '/models', '/v1/models?x', '/models?x'],
    ['/users/{id}/files', '/files/{id}.json', '/users/a%20b/files', '/files/a%20b.json'],
    ['/{a}/{b}', '/{b}/{a}', '//x//y', '/y/x'],
    ['/users/{id}/*', '/u/{id}/*', '/users/7/a/b/', '/u/7/a/b/'],
  ];
  for (const [path, rewrite, target, expected] of cases) {
    test(`${path} → ${rewrite}: ${target} → ${expected}`, () => {
      const router = compileRoutes([route('r', { path }, rewrite ? { path: rewrite } : {})]);
      const head = makeHead('GET', 'h', target);
      assert.equal(router.match(head)?.rewriteTarget(head), expected);
    });
  }
  test('a route with several paths rewrites by the one that matched', () => {
    const router = compileRoutes([route('r', { path: ['/a/*', '/long/er/*'] }, { path: '/x/*' })]);
    for (const target of ['/a/q', '/long/er/q']) {
      const head = makeHead('GET', 'h', target);
      assert.equal(router.match(head)?.rewriteTarget(head), '/x/q');
    }
  });
  test('field changes are ready to apply', () => {
    const changes = { set: { 'X-A': '1' }, add: { 'X-B': '2' }, remove: ['X-C'] };
    const [compiled] = compileRoutes([route('r', {}, { requestHeaders: changes, host: 'h2' })]).entries;
    assert.equal(compiled?.route.host, 'h2');
    assert.deepEqual([...(compiled?.route.requestFields?.drop ?? [])], ['x-c', 'x-a']);
    assert.equal(compiled?.route.requestFields?.lines, 'X-A: 1\r\nX-B: 2\r\n');
    assert.equal(compiled?.route.responseFields, undefined);
  });
});

describe('checking routes', () => {
  const cases: [string, ReturnType<typeof routesOf>, RegExp[]][] = [
    ['good', routesOf({ a: { path: '/a' }, b: { path: '/a/*' }, c: {} }), []],
    ['name', [route('a', { path: '/a' }), route('a', { path: '/b' })], [/already taken by route 1/]],
    ['star', routesOf({ a: { path: '/v1*' } }), [/\* may only be the last segment/]],
    ['dots', routesOf({ a: { path: '/a/../b' } }), [/never matches: it contains a "\."/]],
    ['query', routesOf({ a: { path: '/a?b' } }), [/match\.query/]],
    ['brace', routesOf({ a: { path: '/a/x{id}' } }), [/whole segment/]],
    ['twice', routesOf({ a: { path: '/{x}/{x}' } }), [/has \{x\} twice/]],
    ['model', routesOf({ a: { model: 'a*b' } }), [/may only stand at the end/]],
    ['duplicate', routesOf({ a: { path: '/a' }, b: { path: '/%61' } }), [/never reached: route 1 \(a\)/]],
    ['shape', routesOf({ a: { path: '/{a}/x' }, b: { path: '/{b}/x' } }), [/never reached/]],
    [
      'part',
      routesOf({ a: { path: '/a' }, b: { path: ['/a', '/b'] } }),
      [/never reached by host any, path \/a: route 1/],
    ],
    ['wider', routesOf({ a: { headers: { h: { present: true } } }, b: { headers: { H: 'x' } } }), [/never reached/]],
    ['order', routesOf({ a: { headers: { H: 'x' } }, b: { headers: { h: { present: true } } } }), []],
    ['inserts', [route('a', { path: '/{a}' }, { path: '/{b}' })], [/has no such segment/]],
    ['rest', [route('a', { path: '/a' }, { path: '/b/*' })], [/leaves none/]],
    ['host', [route('a', {}, { host: 'a b' })], [/is no host/]],
    [
      'fields',
      [route('a', {}, { requestHeaders: { set: { 'Content-Length': '1' } } })],
      [/written by Gatehouse alone/],
    ],
  ];
  test('names and values that no field may have are refused by the schema', () => {
    for (const set of [{ a: 'x\r\ny: z' }, { a: 'x\0' }, { a: '模' }, { 'a b': 'x' }, { 'a:': 'x' }, { '': 'x' }]) {
      assert.throws(() => route('a', {}, { requestHeaders: { set } }), /expected a field/);
    }
  });
  for (const [name, routes, expected] of cases) {
    test(name, () => {
      const issues = checkRoutes(routes);
      assert.equal(issues.length, expected.length, JSON.stringify(issues));
      for (const [i, pattern] of expected.entries()) assert.match(issues[i]?.message ?? '', pattern);
    });
  }
});
