import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitsConfig } from './config.ts';
import { refusesUnknown } from './uncounted.ts';

const TOKENS = limitsConfig.parse([{ key: 'ip', tokens: '5/min' }]);
const MONEY = limitsConfig.parse([{ key: 'ip', credits: '5/min' }]);
const CALLS = limitsConfig.parse([
  { key: 'ip', requests: '5/min' },
  { key: 'ip', bytes: '5MB/min' },
]);

const cases: [
  what: string,
  route: Partial<Parameters<typeof refusesUnknown>[0]>,
  protocol: string | undefined,
  boolean,
][] = [
  ['any HTTP service', {}, 'http', false],
  ['any HTTP service with limits that count it', { limits: CALLS }, 'http', false],
  ['any HTTP service with a limit on tokens', { limits: TOKENS }, 'http', true],
  ['any HTTP service with a limit on money', { limits: [...CALLS, ...MONEY] }, 'http', true],
  ['a server of models', {}, 'openai', true],
  ['models', { models: ['m'] }, undefined, true],
  ['what a model decides', { match: { model: ['m'] } }, 'http', true],
  ['a server of models that is to take all', { unknownOperations: 'allow', limits: TOKENS }, 'openai', false],
  ['any HTTP service that is to be strict', { unknownOperations: 'refuse' }, 'http', true],
  ['what is answered here', { service: 'tokens', limits: TOKENS }, undefined, false],
];

for (const [what, route, protocol, refuses] of cases)
  test(`${what}: operations that are not known are ${refuses ? 'refused' : 'let through'}`, () =>
    assert.equal(refusesUnknown({ match: {}, ...route }, protocol), refuses));
