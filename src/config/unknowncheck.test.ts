import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, loadConfig } from './config.ts';

function told(text: string): string[] {
  const whole = `listeners: { p: { address: "127.0.0.1:0" } }
upstreams:
  ai: { protocol: openai, endpoints: [{ url: "http://127.0.0.1:1" }] }
  web: { endpoints: [{ url: "http://127.0.0.1:2" }] }
access: { keys: [{ name: a, key: "\${A}", tenant: t }] }
prices: { default: { output: 1 } }
${text}`;
  const env = { A: 'a-key-of-sixteen-characters-and-more' };
  const result = loadConfig('g.yaml', { cwd: '/x', env, readFile: () => Buffer.from(whole) });
  // Whether all of it is used is not what is asked here.
  return [...(result.ok ? [] : result.problems), ...result.warnings]
    .map(formatProblem)
    .filter((line) => !line.includes('uses this upstream') && !line.includes('no route asks for a key'));
}

const routes = (to: string, more: string) => `routes: [{ name: chat, upstream: ${to}, ${more} }]`;
const TOKENS = 'limits: [{ key: ip, tokens: 5/min }]';
const TENANT =
  'plans: { p: { limits: [{ key: tenant, tokens: 5/min }] } }\ntenants: { t: { plan: p } }\nauthorize: { defaultPlan: p }';
const BUDGET = 'budgets: [{ name: all, key: resource, credits: 5/day }]';

const OPEN = (rule: string) =>
  `operations that Gatehouse does not know pass here, and ${rule} cannot count what they use`;
const LIKE_THIS = '; take this out, narrow "match" to operations that it knows, or add a limit on requests or bytes';
const UNSAID = '; set "protocol" of the upstream if it serves models, else say unknownOperations: allow';

const cases: [what: string, text: string, expected: string | undefined][] = [
  ['they are refused', routes('ai', TOKENS), undefined],
  [
    'they pass',
    routes('ai', `unknownOperations: allow, ${TOKENS}`),
    `routes[0].unknownOperations: ${OPEN('chat/ip-tokens')}${LIKE_THIS}`,
  ],
  [
    'nothing counts tokens',
    routes('ai', 'unknownOperations: allow, limits: [{ key: ip, requests: 5/min }]'),
    undefined,
  ],
  [
    'the limit only watches',
    routes('ai', 'unknownOperations: allow, limits: [{ key: ip, tokens: 5/min, mode: observe }]'),
    undefined,
  ],
  [
    'another limit counts them',
    routes('ai', 'unknownOperations: allow, limits: [{ key: ip, tokens: 5/min }, { key: ip, requests: 9/min }]'),
    undefined,
  ],
  [
    'there are none',
    routes('ai', `unknownOperations: allow, match: { path: [/v1/chat/completions, /v1/files] }, ${TOKENS}`),
    undefined,
  ],
  [
    'a rewrite may lead to others',
    routes('ai', `unknownOperations: allow, match: { path: /v1/embeddings }, rewrite: { path: /api/embed }, ${TOKENS}`),
    `routes[0].unknownOperations: ${OPEN('chat/ip-tokens')}${LIKE_THIS}`,
  ],
  [
    'a budget for all',
    `${BUDGET}\n${routes('ai', 'unknownOperations: allow')}`,
    `routes[0].unknownOperations: ${OPEN('budget:all')}${LIKE_THIS}`,
  ],
  [
    'a plan, and callers are known',
    `${TENANT}\n${routes('ai', 'unknownOperations: allow, access: { anyOf: [apiKey] }')}`,
    `routes[0].unknownOperations: ${OPEN('plan:p/tenant-tokens')}${LIKE_THIS}`,
  ],
  ['a plan, and nobody is known', `${TENANT}\n${routes('ai', 'unknownOperations: allow')}`, undefined],
  [
    'any HTTP service under a budget',
    `${BUDGET}\n${routes('web', 'match: { path: /* }')}`,
    `routes[0]: ${OPEN('budget:all')}${UNSAID}`,
  ],
  ['the same, and it is said', `${BUDGET}\n${routes('web', 'unknownOperations: allow')}`, undefined],
  ['any HTTP service with such a limit', routes('web', TOKENS), undefined],
];

for (const [what, text, expected] of cases)
  test(what, () =>
    assert.deepEqual(
      told(text).map((line) => line.replace(/^g\.yaml:\d+:\d+: /, '')),
      expected === undefined ? [] : [expected],
    ),
  );
