import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, loadConfig } from './config.ts';

function told(text: string): string[] {
  const whole = `listeners: { p: { address: "127.0.0.1:0" } }
upstreams: { u: { protocol: openai, endpoints: [{ url: "http://127.0.0.1:1" }] } }
access: { keys: [{ name: a, key: "\${A}" }] }
${text}`;
  const env = { A: 'a-key-of-sixteen-characters-and-more' };
  const result = loadConfig('g.yaml', { cwd: '/x', env, readFile: () => Buffer.from(whole) });
  return [...(result.ok ? [] : result.problems), ...result.warnings].map(formatProblem);
}

const route = (limits: string, access = ', access: { anyOf: [apiKey] }') =>
  `routes: [{ name: chat, upstream: u${access}, limits: ${limits} }]`;

const cases: [string, string, string[]][] = [
  [
    'all is well',
    route('[{ key: ip, requests: 1/s }, { key: ip, requests: 5/min }, { key: apiKey, tokens: 5/min }]'),
    [],
  ],
  [
    'a name that a budget has among limits',
    `limits: [{ name: "budget:x", key: ip, requests: 5/min }]
prices: { default: { perRequest: 1 } }
budgets: [{ name: x, key: resource, credits: 4/day }]
${route('[]')}`,
    ['g.yaml:6:19: budgets[0].name: one of limits is named "budget:x", as this budget is among limits; rename it'],
  ],
  [
    'two of one name',
    route('[{ name: a, key: ip, requests: 1/s }, { name: a, key: ip, requests: 5/min }]'),
    ['g.yaml:4:120: routes[0].limits[1].name: two limits here are named "a"; rename one, got "a"'],
  ],
  [
    'a name that another gets by itself',
    route('[{ key: ip, requests: 1/s }, { name: ip-requests, key: ip, requests: 5/min }]'),
    [
      'g.yaml:4:103: routes[0].limits[1]: this limit is named "chat/ip-requests", as is one of routes[0].limits; give it another name',
    ],
  ],
  [
    'a name that is one of another place',
    `limits: [{ name: chat/a, key: ip, requests: 1/s }]\n${route('[{ name: a, key: ip, requests: 5/min }]')}`,
    ['g.yaml:5:75: routes[0].limits[0]: this limit is named "chat/a", as is one of limits; give it another name'],
  ],
  [
    'a key that nobody has',
    route('[{ key: [tenant, ip], requests: 1/s }, { key: "claim:team", requests: 1/s }]', ''),
    [
      'g.yaml:3:11: access.keys: no route asks for a key; add access: { anyOf: [apiKey] } to one',
      'g.yaml:4:53: routes[0].limits[0].key: nobody is known on this route, so all callers share one count by tenant; add "access" to the route, or count by ip',
      'g.yaml:4:91: routes[0].limits[1].key: nobody is known on this route, so all callers share one count by claim:team; add "access" to the route, or count by ip',
    ],
  ],
];

for (const [name, text, expected] of cases) test(name, () => assert.deepEqual(told(text), expected));
