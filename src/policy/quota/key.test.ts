/** What requests are counted by. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from '../../kernel/exchange.ts';
import { rulesOf } from './compile.ts';
import { limitConfig, limitsConfig } from './config.ts';
import { compileKey } from './key.ts';

/** As much of an exchange as keys look at. */
function exchange(fields: Record<string, string> = {}, more: object = {}): Exchange {
  const head = { host: 'api.example', get: (name: string) => fields[name] };
  return {
    head,
    inbound: { clientAddress: '192.0.2.7' },
    model: 'm',
    version: '',
    route: 'r',
    ...more,
  } as unknown as Exchange;
}

const identity = (claims: object) => ({
  identity: { credential: 'shown', account: 'k', tenant: 't', principal: 'p', plan: '', claims },
});

test('secrets are told apart and not told', () => {
  for (const field of ['Authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'Cookie', 'proxy-authorization']) {
    const keyOf = compileKey([`header:${field}`]);
    const key = (value: string) => keyOf(exchange({ [field.toLowerCase()]: value }));
    const long = `Bearer ${'x'.repeat(300)}`;
    assert.equal(key('Bearer a-secret'), key('Bearer a-secret'));
    assert.notEqual(key('Bearer a-secret'), key('Bearer b-secret'));
    assert.notEqual(key(`${long}a`), key(`${long}b`), 'by all of it');
    assert.doesNotMatch(key('Bearer a-secret'), /secret/);
    assert.equal(keyOf(exchange()), '', 'who has none is told from who has');
  }
  assert.equal(compileKey(['header:x-user'])(exchange({ 'x-user': 'anna' })), 'anna');
});

test('no value runs into the next one, and none is without end', () => {
  const keyOf = compileKey(['claim:a', 'claim:b']);
  const keys = [{ a: 'x\0y' }, { a: 'x', b: 'y' }].map((claims) => keyOf(exchange({}, identity(claims))));
  assert.notEqual(keys[0], keys[1]);
  const most = 256;
  assert.equal(compileKey(['model'])(exchange({}, { model: 'm'.repeat(100_000) })).length, most);
  assert.equal(compileKey(['header:x'])(exchange({ x: 'm'.repeat(100_000) })).length, most);
  assert.equal(compileKey(['claim:a'])(exchange({}, identity({ a: ['m'.repeat(100_000)] }))).length, most);
});

test('keys that strangers can make more of have no counters for ever', () => {
  for (const [key, known] of [
    ['apiKey', true],
    ['tenant', true],
    ['resource', true],
    ['ip', false],
    ['header:x', false],
    ['host', false],
    ['model', false],
    [['apiKey', 'model'], false],
    [['apiKey', 'route'], true],
  ] as const) {
    const [rule] = rulesOf(limitsConfig.parse([{ key, requests: '1/s' }]), '');
    assert.equal(rule?.rule.known, known, String(key));
  }
});

for (const [what, limit, problem] of [
  ['a prefix longer than an address', { key: 'ip/33', requests: '1/s' }, /expected apiKey, .* ip\/24 \(to \/32\)/],
  ['one of IPv6', { key: 'ip/24/129', requests: '1/s' }, /\(to \/128\)/],
  ['half a request', { key: 'ip', requests: '0.5/day' }, /a whole number of requests; say 1\/2s/],
  ['half a token', { key: 'ip', tokens: '1.5/min' }, /a whole number of tokens/],
  ['bytes in words', { key: 'ip', bytes: 'ten MB/s' }, /such as 10MiB\/s/],
  ['half a byte', { key: 'ip', bytes: '0.5/s' }, /a whole number of bytes/],
] as const) {
  test(`refused: ${what}`, () => {
    const { success, error } = limitConfig.safeParse(limit);
    assert.equal(success, false);
    assert.match(JSON.stringify(error?.issues), problem);
  });
}

test('sizes and large numbers as people write them', () => {
  const units = (limit: object) => {
    const { bytes, tokens, credits } = limitConfig.parse({ key: 'ip', ...limit });
    return (bytes ?? tokens ?? credits)?.units;
  };
  assert.equal(units({ bytes: '10MiB/s' }), 10 * 2 ** 20);
  assert.equal(units({ bytes: '5GB/day' }), 5e9);
  assert.equal(units({ bytes: '1000/min' }), 1000);
  assert.equal(units({ bytes: '10M/s' }), 1e7);
  assert.equal(units({ tokens: '1.005k/min' }), 1005);
  assert.equal(units({ credits: '0.5/day' }), 0.5);
});
