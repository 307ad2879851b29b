import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hashKey, stickyKey } from './keys.ts';
import { makeWorker } from './pipeline.fixture.ts';

const body = '{"model":"m","user":"u-1"}';

function passage(fields: string[], target = '/v1/chat/completions?shard=a%20b&shard=c') {
  const { forwarded } = makeWorker().send(`POST ${target}`, fields, body);
  assert.ok(forwarded);
  return forwarded;
}

describe('what keeps a caller on one version', () => {
  const all = ['Authorization: Bearer a', 'X-Api-Key: b', 'Api-Key: c', 'X-Team: red'];
  const cases: [from: 'key' | 'user' | 'ip' | 'header', header: string, fields: string[], key: string | undefined][] = [
    ['key', '', all, 'Bearer a'],
    ['key', '', all.slice(1), 'b'],
    ['key', '', all.slice(2), 'c'],
    ['key', '', [], undefined],
    ['user', '', [], 'u-1'],
    ['ip', '', [], '203.0.113.9'],
    ['header', 'x-team', all, 'red'],
    ['header', 'x-team', [], undefined],
  ];
  for (const [from, header, fields, key] of cases) {
    test(`${from} ${header} of ${fields.length} fields`, () => {
      const one = passage(fields);
      assert.equal(stickyKey({ from, header }, one, one.head), key);
    });
  }
  test('nothing, where the model is not sticky', () => {
    const one = passage(all);
    assert.equal(stickyKey(undefined, one, one.head), undefined);
  });
});

describe('what the hash policy hashes', () => {
  const cases: [from: 'ip' | 'model' | 'path' | 'host' | 'header' | 'query', name: string, key: string | undefined][] =
    [
      ['ip', '', '203.0.113.9'],
      ['model', '', 'm'],
      ['path', '', '/v1/chat/completions'],
      ['host', '', 'api.test'],
      ['header', 'x-team', 'red'],
      ['header', 'x-none', undefined],
      ['query', 'shard', 'a b'],
      ['query', 'none', undefined],
    ];
  for (const [from, name, key] of cases) {
    test(`${from} ${name}`, () => assert.equal(hashKey({ from, name }, passage(['X-Team: red'])), key));
  }
  test('nothing for the other policies', () => assert.equal(hashKey(undefined, passage([])), undefined));
});
