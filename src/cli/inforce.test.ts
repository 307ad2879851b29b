/** Whom another program lets in, told in words that go through JSON, and what is left of our own configuration by that. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { tenantConfig } from '../config/config.ts';
import { accessConfig } from '../policy/access/config.ts';
import { tokensConfig } from '../policy/token/config.ts';
import { admittedBy, narrowed } from './inforce.ts';

const pem = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }) as string;
const [one, two] = [pem(), pem()];
const hash = 'A'.repeat(43);
const PEPPER = 'a pepper that is long enough for this test';

interface Given {
  keys?: object[];
  certificates?: object[];
  issuers?: Record<string, object>;
  tenants?: Record<string, object>;
  tokens?: boolean;
}

function configOf({ keys = [], certificates = [], issuers = {}, tenants = {}, tokens = false }: Given) {
  const issuer = 'https://own.example.com';
  return {
    access: accessConfig.parse({ pepper: PEPPER, keys, certificates, issuers }),
    tokens: tokens ? tokensConfig.parse({ issuer, audiences: [issuer] }) : undefined,
    tenants: Object.fromEntries(Object.entries(tenants).map(([name, more]) => [name, tenantConfig.parse(more)])),
  };
}

/** What is left of the first one by the second, as far as it decides who may go on. */
function left(own: Given, theirs: Given) {
  const told = JSON.parse(JSON.stringify(admittedBy(configOf(theirs) as never)));
  const { access, tokens, tenants } = narrowed(configOf(own) as never, told) as ReturnType<typeof configOf>;
  return {
    keys: access.keys.map(({ id }) => id),
    certificates: access.certificates.map(({ name, tenant, san }) => [name, tenant, san]),
    issuers: Object.entries(access.issuers).map(([name, { keys }]) => [name, keys?.length]),
    tokens: tokens !== undefined,
    off: Object.keys(tenants).filter((name) => tenants[name]?.disabled),
  };
}

const corporate = (...keys: string[]) => ({
  ...{ issuer: 'https://login.example.com', audiences: ['a'] },
  ...(keys.length > 0 && { keys }),
});
const NOTHING = { keys: [], certificates: [], issuers: [], tokens: false, off: [] };
const alice = { name: 'alice', hash };
const batch = { name: 'batch', subject: 'CN=batch,O=Example', san: 'DNS:batch.internal' };
const cases: [what: string, own: Given, theirs: Given, left: object][] = [
  ['nothing', {}, {}, {}],
  ['a key that both have', { keys: [alice] }, { keys: [alice] }, { keys: ['alice'] }],
  [
    'a key that is gone',
    { keys: [alice, { name: 'bob', hash: hash.replace('A', 'B') }] },
    { keys: [alice] },
    { keys: ['alice'] },
  ],
  ['a key of somebody else by now', { keys: [alice] }, { keys: [{ ...alice, principal: 'mallory' }] }, {}],
  ['a key of another tenant by now', { keys: [alice] }, { keys: [{ ...alice, tenant: 'acme' }] }, {}],
  ['a key that is new', {}, { keys: [alice] }, {}],
  [
    'a certificate that stands for somebody else first',
    { certificates: [batch] },
    { certificates: [{ ...batch, name: 'first', principal: 'clerk', tenant: 'acme' }, batch] },
    {
      certificates: [
        ['clerk', 'acme', 'DNS:batch.internal'],
        ['batch', '', 'DNS:batch.internal'],
      ],
    },
  ],
  ['a certificate that is gone', { certificates: [batch] }, {}, {}],
  [
    'an issuer whose keys are fetched',
    { issuers: { corporate: corporate() } },
    { issuers: { renamed: corporate() } },
    { issuers: [['corporate', undefined]] },
  ],
  ['an issuer that is gone', { issuers: { corporate: corporate() } }, {}, {}],
  [
    'a key of an issuer that is gone',
    { issuers: { corporate: corporate(one, two) } },
    { issuers: { corporate: corporate(two) } },
    { issuers: [['corporate', 1]] },
  ],
  [
    'all keys of an issuer that are others by now',
    { issuers: { corporate: corporate(one) } },
    { issuers: { corporate: corporate(two) } },
    { issuers: [['corporate', 0]] },
  ],
  [
    'declared keys that are fetched by now',
    { issuers: { corporate: corporate(one) } },
    { issuers: { corporate: corporate() } },
    { issuers: [['corporate', 1]] },
  ],
  ['tokens of our own', { tokens: true }, { tokens: true }, { tokens: true }],
  ['tokens of our own that are given no more', { tokens: true }, {}, {}],
  [
    'tenants that are switched off, known here or not',
    { tenants: { acme: {}, globex: {} } },
    { tenants: { acme: { disabled: true }, globex: {}, stored: { disabled: true } } },
    { off: ['acme', 'stored'] },
  ],
];
for (const [what, own, theirs, rest] of cases) {
  test(what, () => deepEqual(left(own, theirs), { ...NOTHING, ...rest }));
}

test('what another version says is looked at', () => {
  const config = configOf({ keys: [alice] }) as never;
  const told = { ...admittedBy(config), more: 'of a later version' };
  equal((narrowed(config, told) as ReturnType<typeof configOf>).access.keys.length, 1);
  throws(() => narrowed(config, { ...told, certificates: [{ name: 'x', san: 'nonsense' }] }));
  throws(() => narrowed(config, { keys: [] } as never));
});
