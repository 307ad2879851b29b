import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Exchange } from '../../kernel/exchange.ts';
import type { Identity } from '../../kernel/identity.ts';
import { Expression, expressionFault } from './expression.ts';
import { IdentityView, RequestView, TimeView } from './view.ts';

const identity: Identity = {
  method: 'jwt',
  principal: 'alice',
  credential: 'j1',
  account: 'alice',
  tenant: 'acme',
  plan: 'team',
  scopes: new Set(['chat']),
  roles: new Set(['ops']),
  models: undefined,
  claims: { level: 4, groups: ['a', 'b'], nested: { x: true } },
  expiresAt: Number.POSITIVE_INFINITY,
};
const fields: [string, string][] = [
  ['X-Team', 'red'],
  ['x-team', 'blue'],
];
const exchange = {
  head: {
    method: 'POST',
    path: '/v1/chat',
    host: 'api.test',
    query: 'a=1&b=2',
    each: (visit: (name: string, value: string) => void) => {
      for (const [name, value] of fields) visit(name, value);
    },
  },
  inbound: { clientAddress: '10.1.2.3', scheme: 'https' },
  route: 'ai',
  model: 'small-1',
  requestLength: 12,
} as unknown as Exchange;

function holds(text: string, wall = Date.UTC(2026, 10, 22, 8, 30)): boolean {
  const scope = { identity: new IdentityView(), request: new RequestView(), time: new TimeView('Europe/Berlin') };
  scope.identity.identity = identity;
  scope.identity.labels = { tier: 'gold' };
  scope.request.exchange = exchange;
  scope.request.body = { stream: true, maxTokens: 50, tools: ['get_time'] };
  scope.time.clock = { wall: () => wall };
  return new Expression(text).holds(scope);
}

describe('conditions', () => {
  const cases: [string, boolean | 'error'][] = [
    ['identity.principal == "alice" && identity.tenant == "acme"', true],
    ['"chat" in identity.scopes && !("admin" in identity.scopes)', true],
    ['identity.claims.level > 3', true],
    ['identity.claims.missing == 1', 'error'],
    ['has(identity.claims.missing) && identity.claims.missing == 1', false],
    ['identity.claims.constructor == 1', 'error'],
    ['"b" in identity.claims.groups', true],
    ['identity.labels.tier == "gold"', true],
    ['request.method == "POST" && request.path.startsWith("/v1/") && request.host == "api.test"', true],
    ['request.headers["x-team"] == "red, blue"', true],
    ['request.query.a == "1"', true],
    ['request.ip.inNetwork("10.0.0.0/8")', true],
    ['request.ip.inNetwork("192.168.0.0/16")', false],
    ['request.ip.inNetwork("2001:db8::/32")', false],
    ['request.ip.inNetwork("10.1.2.3")', true],
    ['request.ip.inNetwork(identity.principal)', 'error'],
    ['request.model.like("small-*") && request.stream && request.maxTokens <= 50', true],
    ['request.tools.all(t, t.startsWith("get_"))', true],
    ['time.hour == 9 && time.minute == 30 && time.weekday == 0 && time.date == "2026-11-22"', true],
    ['time.now < timestamp("2026-01-01T00:00:00Z")', false],
    ['identity.known && identity.method == "jwt"', true],
  ];
  for (const [text, expected] of cases) {
    test(text, () => {
      if (expected === 'error') assert.throws(() => holds(text));
      else assert.equal(holds(text), expected);
    });
  }
});

describe('what is no condition', () => {
  const cases: [string, RegExp][] = [
    ['identity.principel == "x"', /No such key: principel/],
    ['request.hour > 3', /No such key: hour/],
    ['nobody == 1', /Unknown variable: nobody/],
    ['identity.principal', /true or false, and this gives string/],
    ['identity.principal + 1 == "a"', /no such overload/],
    ['request.path.matches("(a+)+$")', /regular expressions are not evaluated/],
    ['cel.bind(x, request.path + request.path, x == x)', /cel.bind/],
    ['identity.scopes.exists(a, identity.roles.exists(b, a == b))', /inside another/],
    ['identity.scopes.map(a, identity.roles.filter(b, a == b)).size() > 0', /inside another/],
    ['request.path ==', /CEL/],
    ['('.repeat(200), /CEL/],
    [Array(400).fill('true').join(' && '), /CEL/],
    ['request.ip.inNetwork("nonsense")', /inNetwork\("nonsense"\): this is no network, such as 10\.0\.0\.0\/8/],
    ['request.ip.inNetwork("10.0.0.0/99")', /10\.0\.0\.0\/99"\): this is no network/],
    ['identity.scopes.exists(s, !request.ip.inNetwork("10.0.0.300"))', /this is no network/],
  ];
  for (const [text, said] of cases) {
    test(text.slice(0, 60), () => assert.match(expressionFault(text) ?? 'nothing is wrong', said));
  }
});

test('what only the body tells is known before anything is evaluated', () => {
  assert.equal(new Expression('request.path == "/"').needsBody, false);
  assert.equal(new Expression('request.path == "/" || request.model == "m"').needsBody, true);
  assert.equal(new Expression('request.tools.size() < 3').needsTools, true);
  assert.equal(new Expression('request.stream').needsTools, false);
  assert.equal(new Expression('[request].size() == 1').needsTools, true);
});

test('a parameter that comes twice cannot be told', () => {
  const view = new RequestView();
  view.exchange = { head: { query: 'a=1&a=2' } } as unknown as Exchange;
  assert.throws(() => view.query, /comes twice/);
});
