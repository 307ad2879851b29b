import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CLAIMS, gateFor, nameOf, type Pair, pairFor, tokenOf } from './token.fixture.ts';

const named = pairFor('ES256', 'ec-1');
const bare = pairFor('ES256');
const other = pairFor('ES256');
const rsa = pairFor('RS256');
const alice = 'corporate:alice';
const pem = ({ publicKey }: Pair) => publicKey.export({ type: 'spki', format: 'pem' }) as string;
const jwk = (pair: Pair) => JSON.stringify(pair.jwk);

describe('keys of the configuration without a kid of their own', () => {
  const rows: readonly [what: string, keys: readonly string[], by: Pair, kid: string | undefined, answer: string][] = [
    ['a PEM, and a token with a kid', [pem(bare)], bare, 'k9', alice],
    ['a PEM, and a token without', [pem(bare)], bare, undefined, alice],
    ['a JWK without kid', [jwk(bare)], bare, 'k9', alice],
    ['one for each algorithm', [pem(bare), pem(rsa)], rsa, 'k9', alice],
    ['one beside a key with a name', [pem(bare), jwk(named)], bare, 'k9', alice],
    ['two for the algorithm', [pem(bare), pem(other)], bare, 'k9', 'unknownKey'],
    ['signed by a stranger', [pem(bare)], other, 'k9', 'signature'],
    ['another algorithm', [pem(bare)], rsa, 'k9', 'unknownKey'],
    // A name that a key has means that key alone.
    ['the name of another key', [pem(bare), jwk(named)], bare, 'ec-1', 'signature'],
    ['the name of a key for another algorithm', [pem(rsa), jwk(named)], rsa, 'ec-1', 'unknownKey'],
    ['a key with a name, by another one', [jwk(named)], named, 'k9', 'unknownKey'],
    ['a key with a name, by another one, beside one without', [pem(bare), jwk(named)], named, 'k9', 'signature'],
  ];
  for (const [what, keys, by, kid, answer] of rows) {
    test(`${what}: ${answer}`, () => {
      const { see } = gateFor([], { keys });
      assert.equal(nameOf(see(tokenOf(by, CLAIMS, { kid }))), answer);
    });
  }
});
