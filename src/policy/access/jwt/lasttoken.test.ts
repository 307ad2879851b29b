import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Exchange, Peer } from '../../../kernel/exchange.ts';
import { issuersConfig } from './config.ts';
import { LastToken, lastTokenOf } from './lasttoken.ts';
import { boundTo, CLAIMS, exchangeWith, gateFor, NOW, nameOf, newsOf, pairFor, tokenOf } from './token.fixture.ts';

const rs = pairFor('RS256', 'rsa-1');
const es = pairFor('ES256', 'ec-1');
const stranger = pairFor('ES256', 'ec-1');

const TOKENS = [
  tokenOf(rs, CLAIMS),
  tokenOf(es, { ...CLAIMS, sub: 'bob', jti: 'token-2', exp: NOW + 120 }),
  tokenOf(es, { ...CLAIMS, sub: 'carol', jti: 'token-3', nbf: NOW + 60 }),
  tokenOf(es, { ...CLAIMS, sub: 'dave', jti: 'token-4', ...boundTo(es) }),
  tokenOf(es, { ...CLAIMS, sub: 'erin', jti: 'token-5', cnf: { 'x5t#S256': 'thumb' } }),
  tokenOf(stranger, { ...CLAIMS, sub: 'mallory', jti: 'token-6' }),
  'eyJ.not.aToken',
];

type Act =
  | { do: 'show'; token: number; connection: number; scheme: 'bearer' | 'dpop'; certificate: boolean; times: number }
  | { do: 'wait'; ms: number }
  | { do: 'revoke' | 'restore'; id: number }
  | { do: 'settings'; audience: string }
  | { do: 'keys'; both: boolean };

const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('show' as const),
      token: fc.nat(TOKENS.length - 1),
      connection: fc.nat(2),
      scheme: fc.constantFrom('bearer' as const, 'bearer' as const, 'dpop' as const),
      certificate: fc.boolean(),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1000, 30_000, 90_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('revoke' as const, 'restore' as const), id: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('settings' as const), audience: fc.constantFrom(CLAIMS.aud, 'other') }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('keys' as const), both: fc.boolean() }) },
);

/** A gate, and requests of connections that are the same for as long as it wants. */
function world(connections: readonly Peer[] | undefined) {
  const gate = gateFor([], { jwksUrl: 'https://login.example.com/jwks' });
  let { issuers } = gate;
  gate.tokens.change(newsOf(issuers.corporate, rs, es));
  return (act: Act): string[] => {
    switch (act.do) {
      case 'wait':
        gate.clock.advance(act.ms);
        return [];
      case 'revoke':
      case 'restore':
        gate.revocations[act.do]({ kind: 'id', value: `token-${act.id}`, issuer: 'corporate' });
        return [];
      case 'settings':
        issuers = issuersConfig.parse({
          corporate: { issuer: CLAIMS.iss, audiences: [act.audience], jwksUrl: 'https://login.example.com/jwks' },
        });
        gate.change(issuers);
        return [];
      case 'keys':
        gate.tokens.change(newsOf(issuers.corporate, ...(act.both ? [rs, es] : [es])));
        return [];
      case 'show':
        return Array.from({ length: act.times }, () => {
          const made = exchangeWith(act.certificate ? { certificate: 'thumb' } : {});
          const peer = connections?.[act.connection] ?? made.inbound.peer;
          const exchange = { ...made, inbound: { ...made.inbound, peer } } as Exchange;
          return nameOf(gate.authenticate(act.scheme, TOKENS[act.token] as string, exchange));
        });
    }
  };
}

test('what a connection has shown before changes no verdict, whatever expires, is revoked or set anew meanwhile', () => {
  fc.assert(
    fc.property(fc.array(acts, { minLength: 1, maxLength: 60 }), (all) => {
      const peers = [0, 1, 2].map((port) => ({ address: '10.0.0.1', port, trusted: false }));
      const kept = world(peers);
      const fresh = world(undefined);
      for (const act of all) assert.deepEqual(kept(act), fresh(act), JSON.stringify(act));
    }),
    { numRuns: 300 },
  );
});

test('a token is kept with the connection that has shown it twice in a row, and behind a trusted hop not at all', () => {
  const { jwt } = gateFor([rs, es]);
  const [one = '', other = ''] = TOKENS;
  const show = (peer: Peer, token: string) => {
    const made = exchangeWith();
    assert.match(nameOf(jwt.authenticate('bearer', token, { ...made, inbound: { ...made.inbound, peer } })), /:/);
    return peer.shown instanceof LastToken ? peer.shown.text : undefined;
  };
  const peer = { address: '10.0.0.1', port: 1, trusted: false };
  const seen = [one, one, one, other, other, one].map((token) => show(peer, token));
  // The first time a token is checked it is not noted: that has cost more than its hash.
  assert.deepEqual(seen, ['', '', one, one, '', '']);
  assert.equal(lastTokenOf({ address: '10.0.0.1', port: 2, trusted: false })?.text, '');
  const hop = { address: '10.0.0.2', port: 1, trusted: true };
  assert.deepEqual(
    [one, one, one].map((token) => show(hop, token)),
    [undefined, undefined, undefined],
  );
});
