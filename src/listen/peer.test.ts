import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HttpFault } from '../http/fault.ts';
import { findHeadEnd } from '../http/head.ts';
import { parseRequest } from '../http/request.ts';
import { compileTrust, trustedClient } from './peer.ts';

const LIMITS = { head: 32_768, uri: 200, fields: 50, body: 1000 };

function request(...lines: string[]) {
  const buffer = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  const parsed = parseRequest(buffer, 0, findHeadEnd(buffer, 0, buffer.length), LIMITS);
  if (parsed instanceof HttpFault) throw new Error(parsed.message);
  return parsed;
}

const trusts = compileTrust(['10.0.0.0/8', '192.0.2.7', '2001:db8:1::/48']);
const peer = { address: '10.0.0.1', port: 4000, trusted: true };

function client(...lines: string[]): string {
  const { address, scheme } = trustedClient(request(...lines), peer, { trusts, scheme: 'http' });
  return `${scheme} ${address}`;
}

describe('who the client is, behind trusted hops', () => {
  const cases: [string, string[], string][] = [
    ['nothing is said', [], 'http 10.0.0.1'],
    ['one address', ['X-Forwarded-For: 203.0.113.9'], 'http 203.0.113.9'],
    ['what stands left of a stranger is not believed', ['X-Forwarded-For: 1.1.1.1, 203.0.113.9'], 'http 203.0.113.9'],
    ['through two trusted hops', ['X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.2.3.4'], 'http 203.0.113.9'],
    ['all are trusted: the leftmost', ['X-Forwarded-For: 10.9.9.9, 192.0.2.7'], 'http 10.9.9.9'],
    ['two fields are one list', ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-For: 10.2.3.4'], 'http 203.0.113.9'],
    ['a port', ['X-Forwarded-For: 203.0.113.9:5123'], 'http 203.0.113.9'],
    ['IPv6', ['X-Forwarded-For: 2001:db8:2::1'], 'http 2001:db8:2::1'],
    ['IPv6 in brackets with port', ['X-Forwarded-For: [2001:db8:2::1]:443'], 'http 2001:db8:2::1'],
    ['trusted IPv6', ['X-Forwarded-For: 203.0.113.9, 2001:db8:1::5'], 'http 203.0.113.9'],
    ['IPv4 in IPv6', ['X-Forwarded-For: 203.0.113.9, ::ffff:10.1.1.1'], 'http 203.0.113.9'],
    ['what is no address ends the walk', ['X-Forwarded-For: 203.0.113.9, unknown'], 'http 10.0.0.1'],
    ['and after a trusted hop', ['X-Forwarded-For: unknown, 10.2.2.2'], 'http 10.2.2.2'],
    ['an empty element', ['X-Forwarded-For: 203.0.113.9,'], 'http 10.0.0.1'],
    ['nonsense in brackets', ['X-Forwarded-For: [203.0.113.9'], 'http 10.0.0.1'],
    ['the scheme', ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: HTTPS'], 'https 203.0.113.9'],
    ['the scheme alone', ['X-Forwarded-Proto: https'], 'https 10.0.0.1'],
    ['a scheme that is none', ['X-Forwarded-Proto: gopher'], 'http 10.0.0.1'],
    [
      'schemes as a list',
      ['X-Forwarded-For: 1.1.1.1, 203.0.113.9', 'X-Forwarded-Proto: http, https'],
      'https 203.0.113.9',
    ],
    [
      'the scheme that a stranger claims is not believed',
      ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https, http'],
      'http 203.0.113.9',
    ],
    ['Forwarded', ['Forwarded: for=203.0.113.9;proto=https;by=10.0.0.1'], 'https 203.0.113.9'],
    ['names in any case', ['Forwarded: Host=x; FOR=203.0.113.9; Proto=HTTPS'], 'https 203.0.113.9'],
    ['a quoted address and port', ['Forwarded: for="203.0.113.9:80"'], 'http 203.0.113.9'],
    ['quoted IPv6 with port', ['Forwarded: for="[2001:db8:2::1]:4711"'], 'http 2001:db8:2::1'],
    ['IPv6 without its quotes', ['Forwarded: for=[2001:db8:2::1]'], 'http 2001:db8:2::1'],
    ['an obfuscated port', ['Forwarded: for="203.0.113.9:_gazonk"'], 'http 203.0.113.9'],
    ['an obfuscated identifier', ['Forwarded: for=_hidden'], 'http 10.0.0.1'],
    ['unknown', ['Forwarded: for=unknown, for=10.5.5.5'], 'http 10.5.5.5'],
    ['escapes in quotes', ['Forwarded: for="203.0.\\113.9"'], 'http 203.0.113.9'],
    ['separators in quotes', ['Forwarded: host="a,b;for=1.1.1.1";for=203.0.113.9'], 'http 203.0.113.9'],
    ['a chain', ['Forwarded: for=1.1.1.1;proto=https, for=203.0.113.9;proto=http, for=10.2.2.2'], 'http 203.0.113.9'],
    [
      'two Forwarded fields',
      ['Forwarded: for=203.0.113.9', 'Forwarded: for=10.2.2.2;proto=https'],
      'https 203.0.113.9',
    ],
    ['an open quote spoils all of it', ['Forwarded: for="', 'Forwarded: for=203.0.113.9'], 'http 10.0.0.1'],
    ['a name that ends in for', ['Forwarded: xfor=1.1.1.1'], 'http 10.0.0.1'],
    [
      'both: X-Forwarded-For',
      ['Forwarded: for=1.1.1.1;proto=https', 'X-Forwarded-For: 203.0.113.9'],
      'http 203.0.113.9',
    ],
  ];
  for (const [name, lines, expected] of cases) test(name, () => assert.equal(client(...lines), expected));

  test('whatever a stranger writes, the trusted hop has the last word', () => {
    const text = fc.string({ unit: fc.constantFrom(...'for=";,. \\[]:1proto_https'), maxLength: 40 });
    fc.assert(
      fc.property(text, (claimed) => {
        assert.equal(
          client(`X-Forwarded-For: ${claimed}`, 'X-Forwarded-For: 203.0.113.9').split(' ')[1],
          '203.0.113.9',
        );
        // A quote that was left open spoils the list; then the hop itself counts.
        const seen = client(`Forwarded: ${claimed}`, 'Forwarded: for=203.0.113.9').split(' ')[1];
        assert.ok(seen === '203.0.113.9' || seen === '10.0.0.1', seen);
      }),
    );
  });
});

describe('trust', () => {
  test('addresses, ranges, both families, unix', () => {
    for (const address of ['10.255.0.1', '192.0.2.7', '2001:db8:1:ffff::1']) assert.equal(trusts(address), true);
    for (const address of ['11.0.0.1', '192.0.2.8', '2001:db8:2::1', 'unix', 'nonsense']) {
      assert.equal(trusts(address), false, address);
    }
    assert.equal(compileTrust(['unix'])('unix'), true);
    assert.equal(compileTrust([])('127.0.0.1'), false);
    assert.throws(() => compileTrust(['nonsense']));
    assert.throws(() => compileTrust(['10.0.0.0/99']));
  });
});
