import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessConfig } from '../policy/access/config.ts';
import { routeConfig } from '../route/config.ts';
import { checkAccess } from './accesscheck.ts';
import type { Report } from './problem.ts';

const issuers = { corporate: { issuer: 'https://login.example.com', audiences: ['a'] } };
const bound = { dpop: 'required', certificateBound: 'required' };

for (const [what, access, anyOf, told] of [
  ['an issuer and a route', { issuers }, ['jwt', 'apiKey'], []],
  ['no tokens at all', {}, ['apiKey'], []],
  ['a route without issuer', {}, ['jwt'], ['problem routes.0.access.anyOf']],
  ['an issuer without route', { issuers }, ['apiKey'], ['warning access.issuers']],
  [
    'bound in both ways',
    { issuers: { corporate: { ...issuers.corporate, ...bound } } },
    ['jwt'],
    ['warning access.issuers.corporate.dpop'],
  ],
  [
    'Redis without TLS',
    { issuers, dpop: { redis: 'redis://cache.internal:6379' } },
    ['jwt'],
    ['warning access.dpop.redis'],
  ],
  ['Redis on this machine', { issuers, dpop: { redis: 'redis://:secret@127.0.0.1:6379' } }, ['jwt'], []],
  ['Redis with TLS', { issuers, dpop: { redis: 'rediss://cache.internal' } }, ['jwt'], []],
] as const) {
  test(`access: ${what}`, () => {
    const lines: string[] = [];
    const report = {
      at: (path: readonly unknown[]) => lines.push(`problem ${path.join('.')}`),
      warn: (path: readonly unknown[]) => lines.push(`warning ${path.join('.')}`),
    } as unknown as Report;
    const route = routeConfig.parse({ name: 'r', upstream: 'u', access: { anyOf } });
    checkAccess(accessConfig.parse(access), [[0, route]], true, report);
    assert.deepEqual(lines, told);
  });
}
