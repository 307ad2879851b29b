import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { Events } from '../../kernel/event.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import type { ClientCertificate } from '../../kernel/identity.ts';
import { Access, takenBack } from './access.ts';
import { accessConfig } from './config.ts';

const NOW = 1_750_000_000_000;
const HEX = Buffer.from('A'.repeat(43), 'base64url').toString('hex');
const shown: ClientCertificate = {
  subject: 'CN=batch, O=Example, OU=a\\, b',
  issuer: 'CN=Example CA',
  names: ['DNS:batch.internal', 'URI:spiffe://example.com/batch/eu'],
  thumbprint: 'A'.repeat(43),
  notAfter: NOW + 1000,
};

/** What a door says to a connection with this certificate, under one rule. */
function knock(rule: object, certificate: ClientCertificate | undefined, scopes: string[] = []) {
  const clock = new ManualClock(NOW);
  const failures: string[] = [];
  const events = new Events();
  events.on('authFailed', ({ method, reason }) => failures.push(`${method} ${reason}`));
  const config = accessConfig.parse({ certificates: [{ name: 'batch', scopes: ['inference'], ...rule }] });
  const wants = { anyOf: ['certificate' as const], scopes, forwardCredential: false };
  const [gate] = new Access({ clock, events }).compile(config, [wants], undefined).gates;
  const tls = { serverName: '', version: 'TLSv1.3', certificate };
  const exchange = {
    inbound: { tls, clientAddress: '192.0.2.1' },
    route: 'r',
    identity: undefined,
  } as unknown as Exchange;
  const ask = () => {
    const refused = gate?.check(exchange, undefined as never);
    return refused instanceof Promise ? assert.fail('it need not wait') : refused;
  };
  return { refused: ask(), identity: exchange.identity, failures, again: ask, clock, exchange };
}

const cases: [what: string, rule: object, matches: boolean][] = [
  ['subject', { subject: 'CN=batch, O=Example, OU=a\\, b' }, true],
  ['subject without spaces', { subject: 'CN=batch,O=Example,OU=a\\, b' }, true],
  ['another subject', { subject: 'CN=batch,O=Example,C=CH' }, false],
  ['a part of the subject', { subject: 'CN=batch' }, false],
  ['a name', { san: 'DNS:batch.internal' }, true],
  ['the beginning of a name', { san: 'URI:spiffe://example.com/batch/*' }, true],
  ['a name of another kind', { san: 'URI:batch.internal' }, false],
  ['another beginning', { san: 'URI:spiffe://example.com/chat/*' }, false],
  ['thumbprint', { thumbprint: 'A'.repeat(43) }, true],
  ['thumbprint in hexadecimal', { thumbprint: HEX.replace(/(..)(?=.)/g, '$1:') }, true],
  ['another thumbprint', { thumbprint: 'B'.repeat(43) }, false],
  ['subject and issuer', { subject: 'CN=batch,O=Example,OU=a\\, b', issuer: 'CN=Example CA' }, true],
  ['the right subject of another authority', { subject: 'CN=batch,O=Example,OU=a\\, b', issuer: 'CN=Evil CA' }, false],
];
for (const [what, rule, matches] of cases) {
  test(`a certificate by ${what}`, () => {
    const { refused, identity, failures } = knock(rule, shown);
    if (!matches) {
      assert.equal(refused?.status, 403);
      assert.deepEqual([identity, failures], [undefined, ['certificate unknown']]);
      return;
    }
    assert.equal(refused, undefined);
    const { method, principal, credential } = identity ?? assert.fail('nobody');
    assert.deepEqual([method, principal, credential], ['certificate', 'batch', `x5t:${'A'.repeat(43)}`]);
    assert.ok(identity?.scopes.has('inference'));
  });
}

test('a connection is looked at once, until its certificate expires', () => {
  const { identity, again, clock, exchange } = knock({ san: 'DNS:batch.internal' }, shown);
  assert.equal(again(), undefined);
  assert.equal(exchange.identity, identity, 'one identity for all requests');
  clock.advance(1000);
  assert.match(again()?.message ?? '', /has expired/);
});

test('no certificate, and one that lacks a scope', () => {
  const none = knock({ san: 'DNS:batch.internal' }, undefined);
  assert.deepEqual([none.refused?.status, none.failures], [403, ['none missing']]);
  const lacking = knock({ san: 'DNS:batch.internal' }, shown, ['admin']);
  assert.deepEqual([lacking.refused?.status, lacking.failures], [403, ['certificate scope']]);
});

const changes: [what: string, rules: object[], ends: boolean][] = [
  ['the same rules', [{ name: 'batch', san: 'DNS:batch.internal' }], false],
  ['other scopes', [{ name: 'batch', san: 'DNS:batch.internal', scopes: ['admin'] }], false],
  ['no rule', [], true],
  ['a rule for others', [{ name: 'batch', san: 'DNS:other.internal' }], true],
  ['another caller', [{ name: 'clerk', san: 'DNS:batch.internal' }], true],
  ['the same caller by another rule', [{ name: 'b', principal: 'batch', san: 'DNS:batch.internal' }], false],
  ['another tenant', [{ name: 'batch', tenant: 'acme', san: 'DNS:batch.internal' }], true],
  [
    'another caller first',
    [
      { name: 'clerk', issuer: 'CN=Example CA' },
      { name: 'batch', san: 'DNS:batch.internal' },
    ],
    true,
  ],
];
for (const [what, rules, ends] of changes) {
  test(`what runs by a certificate, once there is ${what}`, () => {
    const clock = new ManualClock(NOW);
    const access = new Access({ clock, events: new Events() });
    const compile = (certificates: object[], before?: ReturnType<Access['compile']>) =>
      access.compile(accessConfig.parse({ certificates }), [wants], before);
    const wants = { anyOf: ['certificate' as const], scopes: [], forwardCredential: false };
    const first = compile([{ name: 'batch', san: 'DNS:batch.internal' }]);
    const inbound = { tls: { serverName: '', version: 'TLSv1.3', certificate: shown }, clientAddress: '192.0.2.1' };
    const exchange = { inbound, route: 'r', identity: undefined } as unknown as Exchange;
    assert.equal(first.gates[0]?.check(exchange, undefined as never), undefined);
    const identity = exchange.identity ?? assert.fail('nobody');
    // Known over many changes.
    const last = compile(rules, compile([{ name: 'x', subject: 'CN=x' }], first));
    assert.equal(takenBack(last, identity), ends);
    clock.advance(1000);
    assert.equal(takenBack(last, identity), false, 'what has expired by itself may end');
  });
}
