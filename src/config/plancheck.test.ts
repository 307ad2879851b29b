import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, loadConfig } from './config.ts';

function told(text: string): string[] {
  const whole = `listeners: { p: { address: "127.0.0.1:0" } }
upstreams: { u: { protocol: openai, endpoints: [{ url: "http://127.0.0.1:1" }] } }
models: { small: { versions: [{ name: v, upstream: u }] } }
${text}`;
  const env = { A: 'a-key-of-sixteen-characters-and-more', P: 'a pepper of more than thirty-two characters' };
  const result = loadConfig('g.yaml', { cwd: '/x', env, readFile: () => Buffer.from(whole) });
  return [...(result.ok ? [] : result.problems), ...result.warnings].map(formatProblem);
}

const route = (more = '') => `routes: [{ name: chat, models: ["*"], access: { anyOf: [apiKey] }${more} }]`;
const keys = (more = '') => `access: { keys: [{ name: a, key: "\${A}"${more} }] }`;

const signup = () => `access: { keys: [{ name: a, key: "\${A}" }], pepper: "\${P}" }
${route()}
signup: { plan: trail }`;

const cases: [string, string, string[]][] = [
  [
    'all is well',
    `${keys(', tenant: t')}\nplans: { x: { permissions: { models: ["s*"] } } }\ntenants: { t: { plan: x } }\n${route()}`,
    [],
  ],
  [
    'a condition that is none, at its line',
    `${keys()}\nplans:\n  x:\n    permissions:\n      conditions:\n        - if: identity.tenent == "a"\n${route()}`,
    [
      'g.yaml:9:15: plans.x.permissions.conditions[0].if: this is no condition in CEL: No such key: tenent at `tenent` (character 10), got "identity.tenent == \\"a\\""',
    ],
  ],
  [
    'names that nothing bears',
    `${keys(', plan: gold, tenant: nobody')}\nplans: { silver: { permissions: { routes: [chta], models: [smal] } } }\ntenants: { t: { plan: slver } }\nauthorize: { defaultPlan: bronze }\n${route()}`,
    [
      'g.yaml:4:48: access.keys[0].plan: no plan here is named "gold": unless the store has it, its callers are refused; known plans: silver',
      'g.yaml:4:62: access.keys[0].tenant: no tenant here is named "nobody": unless the store has it, its plan is not known; known tenants: t',
      'g.yaml:5:44: plans.silver.permissions.routes[0]: no route here is named "chta"; did you mean "chat"?',
      'g.yaml:5:60: plans.silver.permissions.models[0]: no model here is named "smal"; did you mean "small"?',
      'g.yaml:6:23: tenants.t.plan: no plan here is named "slver": unless the store has it, its callers are refused; did you mean "silver"?',
      'g.yaml:7:27: authorize.defaultPlan: no plan here is named "bronze": unless the store has it, its callers are refused; known plans: silver',
    ],
  ],
  [
    'a plan for trials that nothing bears',
    `${signup()}\nplans: { trial: { trialPeriod: 14d } }`,
    [
      'g.yaml:6:17: signup.plan: no plan here is named "trail": unless the store has it, nobody can sign up; did you mean "trial"?',
    ],
  ],
  [
    'a plan for trials without a time',
    `${signup()}\nplans: { trail: {} }`,
    ['g.yaml:6:17: signup.plan: plan "trail" has no trialPeriod: nobody can sign up; give it one, such as 14d'],
  ],
  ['a plan for trials that only the store can have', signup(), []],
  [
    'a domain with two owners, and a route that nobody can use',
    `${keys()}\ntenants: { a: { domains: [a.test] }, b: { domains: [a.test] } }\nroutes: [{ name: chat, models: ["*"], authorize: { roles: [ops] } }, { name: r, match: { path: /r }, upstream: u, access: { anyOf: [apiKey] } }]`,
    [
      'g.yaml:5:53: tenants.b.domains[0]: a.test is a domain of tenant "a" already; take one out',
      'g.yaml:6:39: routes[0].authorize: nobody can meet this, for the route does not ask who calls; add access: { anyOf: [apiKey] }',
    ],
  ],
];

for (const [title, text, expected] of cases) test(title, () => assert.deepEqual(told(text), expected));
