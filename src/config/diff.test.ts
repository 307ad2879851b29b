import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Config, describeChange, loadConfig } from './config.ts';

const BEFORE = `listeners: { p: { address: ":80" } }
upstreams:
  a: { endpoints: [ { url: "http://a" }, { url: "http://b" } ] }
  c: { endpoints: [ { url: "http://c" } ] }
routes:
  - { name: one, upstream: a, match: { path: /one }, rewrite: { requestHeaders: { set: { Authorization: old } } } }
  - { name: two, upstream: c }
`;

function load(text: string) {
  const result = loadConfig('g.yaml', { env: {}, cwd: '/x', readFile: () => Buffer.from(text) });
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

const CASES: [what: string, from: string | RegExp, to: string, told: string[]][] = [
  ['nothing', 'a', 'a', []],
  [
    'a duration',
    'a: { endpoints',
    'a: { timeouts: { idle: 1m30s }, endpoints',
    ['upstreams.a.timeouts.idle: 30s → 90s'],
  ],
  ['a size', '":80"', '":80", limits: { body: 1MiB }', ['listeners.p.limits.body: 64MiB → 1MiB']],
  [
    'a share',
    'a: { endpoints',
    'a: { retries: { budget: 5.5% }, endpoints',
    ['upstreams.a.retries.budget: 20% → 5.5%'],
  ],
  ['a weight', '"http://b"', '"http://b", weight: 3', ['upstreams.a.endpoints[http://b].weight: 1 → 3']],
  ['an endpoint less', ', { url: "http://b" }', '', ['upstreams.a.endpoints[http://b]: taken out']],
  ['an upstream more', 'routes:', '  d: { endpoints: [ { url: "http://d" } ] }\nroutes:', ['upstreams.d: added']],
  ['a target', 'upstream: c', 'upstream: a', ['routes[two].upstream: c → a']],
  [
    'a secret',
    'Authorization: old',
    'Authorization: new',
    ['routes[one].rewrite.requestHeaders.set.Authorization: changed'],
  ],
  ['an order', /( {2}- .*\n)( {2}- .*\n)/, '$2$1', ['routes: in another order']],
  ['a list of words', 'path: /one', 'path: [/one, /eins]', ['routes[one].match.path: ["/one"] → ["/one","/eins"]']],
];

for (const [what, from, to, told] of CASES) {
  test(`tells a change of ${what}`, () => {
    assert.deepEqual(describeChange(load(BEFORE), load(BEFORE.replace(from, to))), told);
  });
}

test('tells that the address of the store has changed, not its password', () => {
  const url = (password: string) => `store: { driver: postgres, url: "postgres://u:${password}@h/d" }\nroutes:`;
  const [before, after] = ['old', 'new'].map((password) => load(BEFORE.replace('routes:', url(password))));
  assert.deepEqual(describeChange(before as Config, after as Config), ['store.url: changed']);
});
