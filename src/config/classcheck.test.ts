import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, loadConfig } from './config.ts';

function told(versions: string, rest: string): string[] {
  const text = `listeners: { p: { address: "127.0.0.1:0" } }
upstreams: { u: { protocol: openai, endpoints: [{ url: "http://127.0.0.1:1" }] } }
models: { m: { versions: [${versions}] } }
${rest}`;
  const env = { A: 'a-key-of-sixteen-characters-and-more' };
  const result = loadConfig('g.yaml', { cwd: '/x', env, readFile: () => Buffer.from(text) });
  return [...(result.ok ? [] : result.problems), ...result.warnings].map(formatProblem);
}

const route = (more = '') => `routes: [{ name: chat, models: ["*"]${more} }]`;
const own = '{ name: own, upstream: u, classes: [realtime] }';
const spot = (more = '') => `{ name: spot, upstream: u, classes: [batch, test]${more} }`;
const unserved = (which: string) => [
  `g.yaml:3:16: models.m.versions: requests of ${which} may come here, and no version with a weight serves them (503); add it to "classes" of one`,
];
const known = ', access: { anyOf: [apiKey] }';
const keys = (more = '') => `access: { keys: [{ name: a, key: "\${A}"${more} }] }`;

const cases: [string, string, string, string[]][] = [
  ['every class has a version', `${own}, ${spot()}`, route(', priority: realtime, priorityHeader: x-p'), []],
  ['nobody says anything: batch', own, route(), unserved('class batch')],
  ['a route that gives what is served', own, route(', priority: realtime'), []],
  [
    'a client may say less',
    own,
    route(', priority: realtime, priorityHeader: x-p'),
    unserved('classes batch and test'),
  ],
  ['a version without weight serves nobody', `${own}, ${spot(', weight: 0')}`, route(), unserved('class batch')],
  [
    'a plan gives less',
    own,
    `${route(`, priority: realtime${known}`)}\n${keys(', plan: trial')}\nplans: { trial: { priority: test } }`,
    unserved('class test'),
  ],
  [
    'a plan gives more',
    spot(),
    `${route(known)}\n${keys(', plan: gold')}\nplans: { gold: { priority: 90 } }`,
    unserved('class realtime'),
  ],
  [
    'a tenant and a key are bounds',
    own,
    `${route(`, priority: realtime${known}`)}\n${keys(', priority: 30')}\ntenants: { t: { priority: test } }`,
    unserved('classes batch and test'),
  ],
  [
    'nobody is asked who calls, so plans mean nothing',
    own,
    `${route(', priority: realtime')}\nplans: { trial: { priority: test } }`,
    [],
  ],
  [
    'spill-over to none',
    `${own}, ${spot(', spillover: { to: onw }')}`,
    route(', priority: realtime'),
    ['g.yaml:3:144: models.m.versions[1].spillover.to: no version of this model is named "onw"; did you mean "own"?'],
  ],
  [
    'spill-over to itself',
    spot(', spillover: { to: spot }'),
    route(),
    ['g.yaml:3:95: models.m.versions[0].spillover.to: a version cannot spill over to itself; name another one'],
  ],
];

for (const [name, versions, rest, expected] of cases)
  test(name, () => {
    assert.deepEqual(told(versions, rest), expected);
  });
