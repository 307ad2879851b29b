/** A configuration with plans and tenants, for the tests of what callers may do. */
import type { Settings } from './pipeline.fixture.ts';

const key = (name: string, more: object = {}) => ({ name, key: `key-of-${name}-0123456789`, ...more });
const access = {
  keys: [
    key('free', { tenant: 'small' }),
    key('paid', { tenant: 'big' }),
    key('own', { tenant: 'small', plan: 'team' }),
    key('narrow', { models: ['m'] }),
    key('wide', { models: ['*'] }),
    key('off', { tenant: 'off' }),
    key('late', { tenant: 'late' }),
    key('stray', { plan: 'gone' }),
    key('nobody'),
    key('ops', { roles: ['ops'], scopes: ['admin'] }),
  ],
};
/** What routes ask for. */
export const asks = { access: { anyOf: ['apiKey'] } };
const gpu = [{ name: 'v', upstream: 'gpu' }];
/** Plans, tenants, keys and routes for tests of permission. */
export const settings: Settings = {
  access,
  models: { m: { versions: gpu }, 'm-large': { versions: gpu }, other: { versions: gpu } },
  plans: {
    trial: {
      permissions: { routes: ['ai', 'raw'], models: ['m*'], tools: ['get_*'], maxTokens: 100, maxBody: '1KiB' },
      limits: [{ key: 'tenant', requests: '2/h' }],
    },
    team: { permissions: { maxTokens: 1000, overMaxTokens: 'clamp' } },
  },
  tenants: {
    small: { plan: 'trial' },
    big: { plan: 'team', domains: ['big.test'] },
    off: { plan: 'team', disabled: true },
    late: { plan: 'trial', trialEndsAt: '1970-01-01T00:00:00Z' },
  },
  routes: [
    { name: 'ai', match: { path: '/v1/*' }, models: ['*'], ...asks },
    { name: 'raw', match: { path: '/raw/*' }, upstream: 'gpu', rewrite: { path: '/*' }, ...asks },
    { name: 'web', match: { path: '/web' }, upstream: 'web', ...asks },
    {
      name: 'admin',
      match: { path: '/admin' },
      upstream: 'web',
      ...asks,
      authorize: {
        roles: ['ops'],
        scopes: ['admin'],
        conditions: [{ name: 'office', if: 'request.ip.inNetwork("203.0.113.0/24")' }],
      },
    },
    {
      name: 'conditional',
      match: { path: '/conditional' },
      upstream: 'web',
      ...asks,
      authorize: { conditions: [{ if: 'identity.claims.level > 3', message: 'Level 4 is needed.' }] },
    },
    {
      name: 'big',
      match: { path: '/big' },
      upstream: 'web',
      ...asks,
      authorize: { plans: ['team'], tenants: ['big'] },
    },
  ],
};

/** Fields of a caller. */
export const as = (name: string) => [`Authorization: Bearer key-of-${name}-0123456789`];
/** A body. */
export const chat = (more: object = {}) => JSON.stringify({ model: 'm', messages: [], ...more });
/** The request line. */
export const CHAT = 'POST /v1/chat/completions';
/** Tools of a body. */
export const fn = (name: string) => ({ tools: [{ type: 'function', function: { name, parameters: { name: 'x' } } }] });
