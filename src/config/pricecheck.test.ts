import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, loadConfig } from './config.ts';

function told(prices: string): string[] {
  const text = `listeners: { p: { address: "127.0.0.1:0" } }
upstreams: { gpu: { protocol: openai, endpoints: [{ url: "http://127.0.0.1:1" }] } }
models: { m: { versions: [{ name: stable, upstream: gpu }] } }
routes: [{ name: chat, models: ["*"] }]
prices: ${prices}`;
  const result = loadConfig('g.yaml', { cwd: '/x', env: {}, readFile: () => Buffer.from(text) });
  return [...(result.ok ? [] : result.problems), ...result.warnings].map(formatProblem);
}

const cases: [string, string, RegExp[]][] = [
  ['all is well', '{ models: { m: { input: 1, when: [{ version: stable, upstream: gpu, input: 2 }] } } }', []],
  ['a model that there is not', '{ models: { n: { input: 1 } } }', [/prices\.models\.n: no model is named "n"/]],
  [
    'a version and an upstream that there are not',
    '{ models: { m: { input: 1, when: [{ version: stabel, input: 2 }, { upstream: gpo, input: 2 }] } } }',
    [
      /prices\.models\.m\.when\[0\]\.version: no version is named "stabel"; did you mean "stable"\?/,
      /prices\.models\.m\.when\[1\]\.upstream: no upstream is named "gpo"; did you mean "gpu"\?/,
    ],
  ],
  [
    'the same of the default price',
    '{ default: { input: 1, when: [{ upstream: spot, input: 2 }, { version: stable, input: 2 }] } }',
    [/prices\.default\.when\[0\]\.upstream: no upstream is named "spot"/],
  ],
];

for (const [name, prices, expected] of cases)
  test(name, () => {
    const lines = told(prices);
    assert.equal(lines.length, expected.length, lines.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(lines[i] ?? '', pattern);
  });

const OPEN = `listeners: { p: { address: "127.0.0.1:0" } }
upstreams: { gpu: { protocol: openai, endpoints: [{ url: "http://127.0.0.1:1" }] } }
routes: [{ name: chat, upstream: gpu }]
`;
for (const [name, more, expected] of [
  ['every model has a price', 'prices: { default: { input: 1 } }', []],
  ['callers name any model', 'prices: { models: { dear: { input: 1 } } }', [/route without "models"/]],
  ['nothing has a price', '', [/nothing has a price/]],
] as const)
  for (const [where, limit] of [
    ['a budget', 'budgets: [{ name: all, key: resource, credits: 5/day }]'],
    ['a plan', 'plans: { p: { limits: [{ name: c, key: resource, credits: 5/day }] } }'],
    ['a tenant', 'tenants: { t: { limits: [{ name: c, key: resource, credits: 5/day }] } }'],
  ] as const)
    test(`money is limited by ${where}, and ${name}`, () => {
      const text = `${OPEN}${more}\n${limit}`;
      const result = loadConfig('g.yaml', { cwd: '/x', env: {}, readFile: () => Buffer.from(text) });
      const lines = [...(result.ok ? [] : result.problems), ...result.warnings].map(formatProblem);
      const found = lines.filter((line) => line.includes('price'));
      assert.equal(found.length, expected.length, lines.join('\n'));
      for (const [i, pattern] of expected.entries()) assert.match(found[i] ?? '', pattern);
    });

test('a budget on several nodes: what counts it, and what remembers it', () => {
  const prices = '{ default: { input: 1 } }\nbudgets: [{ name: all, key: resource, credits: 5/day, mode: MODE }]';
  const redis = '\nredis: { url: "redis://10.0.0.1" }';
  const store = '\nstore: { driver: postgres, url: "postgres://a@10.0.0.1/b" }';
  const lines = (more: string, mode = 'enforce') => told(prices.replace('MODE', mode) + more).join();
  assert.equal(lines(''), '');
  assert.match(lines(store), /^g\.yaml:6:1: budgets: several nodes .* with redis they never do$/);
  assert.match(lines(redis), /^g\.yaml:6:1: budgets: .* forgotten when redis loses its data/);
  assert.equal(lines(redis + store), '');
  assert.equal(lines(store, 'observe'), '');
});
