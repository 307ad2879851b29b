import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeCertificate } from '../../test/certificate.ts';
import { coversHost, factsOf } from '../certificate/facts.ts';
import { ManualClock } from '../kernel/clock.ts';
import { lookUp, NameTable } from './names.ts';
import { entryOf, SecureContexts } from './secure.ts';
import { RulesInForce } from './standing.ts';
import { TicketKeys } from './tickets.ts';
import { secureDoor } from './tls.ts';
import { tlsConfig } from './tlsconfig.ts';
import { TlsShared } from './tlsshared.ts';

const named = (...names: string[]) => ({ names });

test('a certificate is found by server name: exact before wildcard, one label, first table first', () => {
  const own = new NameTable<{ names: readonly string[] }>();
  const shared = new NameTable<{ names: readonly string[] }>();
  const [fallback, wild, exact, second, customer] = [
    named('fallback.test'),
    named('*.example.com', 'example.net'),
    named('api.example.com', 'second.example.com'),
    named('second.example.com'),
    named('shop.example.com', 'api.example.com', 'customer.test', '*.customer.test', '*.com'),
  ];
  for (const one of [fallback, wild, exact, second]) own.add(one);
  shared.add(customer);
  const cases: [string, unknown][] = [
    ['fallback.test', fallback],
    ['example.net', wild],
    ['www.example.com', wild],
    ['api.example.com', exact],
    ['API.Example.COM', exact],
    ['api.example.com.', exact],
    ['second.example.com', [exact, second]],
    ['shop.example.com', customer],
    ['a.customer.test', customer],
    ['a.b.example.com', undefined],
    ['example.com', undefined],
    ['*.example.com', wild],
    ['other.test', undefined],
    ['', undefined],
    ['10.0.0.1', undefined],
  ];
  for (const [name, expected] of cases) assert.deepEqual(lookUp([own, shared], name), expected, name);
  shared.remove(customer);
  assert.equal(lookUp([own, shared], 'customer.test'), undefined);
  assert.equal(lookUp([own, shared], 'shop.example.com'), wild);
  own.remove(exact);
  assert.equal(lookUp([own, shared], 'second.example.com'), second);
});

test('what a certificate covers is what OpenSSL says', () => {
  const label = fc.constantFrom('a', 'b', 'api', 'xn--bcher-kva');
  const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
  const name = fc.oneof(
    host,
    fc.array(label, { minLength: 2, maxLength: 3 }).map((labels) => `*.${labels.join('.')}`),
  );
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 3 }), host, (names, asked) => {
      const x509 = new X509Certificate(makeCertificate({ name: 'x', hosts: names }).certificate);
      const expected = x509.checkHost(asked) !== undefined;
      assert.equal(coversHost(new Set(names), asked), expected, `${names} ${asked}`);
      const table = new NameTable<{ names: readonly string[] }>();
      table.add({ names });
      assert.equal(lookUp([table], asked) !== undefined, expected, `${names} ${asked}`);
    }),
    { numRuns: 60 },
  );
});

test('facts are read: names, dates, kind', () => {
  const made = makeCertificate({ name: 'x', hosts: ['A.example', '*.b.example', '10.0.0.1'], to: 1_900_000_000_000 });
  const facts = factsOf(made.certificate);
  assert.deepEqual(facts.names, ['a.example', '*.b.example', '10.0.0.1']);
  assert.equal(facts.notAfter, 1_900_000_000_000);
  assert.equal(facts.kind, 'ec');
  assert.match(facts.fingerprint, /^[0-9a-f]{64}$/);
});

test('contexts are made when needed, and only so many are kept', () => {
  const contexts = new SecureContexts({}, new TicketKeys(), 2);
  const entries = ['a', 'b', 'c'].map((name) => entryOf(makeCertificate({ name })));
  const [a, b, c] = entries as [(typeof entries)[0], (typeof entries)[0], (typeof entries)[0]];
  const first = contexts.of(a);
  contexts.of(b);
  assert.equal(contexts.of(a), first);
  contexts.of(c);
  assert.equal(contexts.size, 2);
  assert.equal(contexts.of(a), first, 'b was used least recently');
  assert.deepEqual(contexts.of([a, b]).entries, [a], 'one of each kind of key');
});

test('a certificate that cannot be used is refused when the door is made, or leaves the old one in place', () => {
  const one = makeCertificate({ name: 'one' });
  const other = makeCertificate({ name: 'other' });
  const files: Record<string, string> = { cert: one.certificate, key: one.key, other: other.key, junk: 'junk' };
  const door = (certificate: string, key: string) =>
    secureDoor({
      name: 'public',
      config: tlsConfig.parse({ certificates: [{ certificate, key }] }),
      handshakeMs: 1000,
      readText: (path) => files[path] ?? assert.fail(path),
      alpn: ['http/1.1'],
      shared: new TlsShared(),
      inForce: new RulesInForce(),
      clock: new ManualClock(),
      pending: new Set(),
      onSecure: () => {},
      onFailed: () => {},
      onRefused: () => {},
    });
  assert.ok(door('cert', 'key'));
  assert.throws(() => door('cert', 'other'), /key values mismatch/);
  assert.throws(() => door('junk', 'key'));

  const shared = new TlsShared();
  assert.deepEqual(shared.take({ domains: [{ id: 'one', listener: '', pair: one }] }), []);
  const [problem] = shared.take({ domains: [{ id: 'one', listener: '', pair: { certificate: 'junk', key: '' } }] });
  assert.match(problem ?? '', /^certificate one: /);
  assert.ok(shared.table('').exact('one'));
  shared.take({ domains: [{ id: 'one', listener: '', pair: undefined }] });
  assert.equal(shared.table('').exact('one'), undefined);
  assert.equal(shared.size, 0);
});
