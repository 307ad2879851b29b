import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corsConfig } from './config.ts';
import { Cors } from './cors.ts';

const made = (settings: object) => new Cors(corsConfig.unwrap().parse(settings));
const ask = { origin: 'https://app.example.com', method: 'POST', headers: 'authorization,content-type' };

for (const [origins, origin, allowed] of [
  [['https://app.example.com'], 'https://app.example.com', true],
  [['https://app.example.com'], 'http://app.example.com', false],
  [['https://app.example.com'], 'https://app.example.com.evil.org', false],
  [['https://app.example.com'], 'null', false],
  [['https://*.example.com'], 'https://app.example.com', true],
  [['https://*.example.com'], 'https://a.b.example.com', true],
  [['https://*.example.com'], 'https://example.com', false],
  [['https://*.example.com'], 'https://evilexample.com', false],
  [['https://*.example.com'], 'https://evil.org/.example.com', false],
  [['https://*.example.com:8443'], 'https://app.example.com:8443', true],
  [['*'], 'null', true],
] as const) {
  test(`${origins.join()} and a page of ${origin}: ${allowed}`, () => {
    assert.equal(made({ origins }).allows(origin), allowed);
  });
}

test('a preflight is told what may be asked for, or what may not', () => {
  const cors = made({ origins: [ask.origin], headers: ['Authorization', 'Content-Type'], methods: ['POST'] });
  assert.equal(cors.refusal(ask), '');
  assert.equal(
    cors.preflightLines(ask),
    'Access-Control-Allow-Origin: https://app.example.com\r\nAccess-Control-Allow-Headers: authorization,content-type\r\n' +
      'Access-Control-Allow-Methods: POST\r\nAccess-Control-Max-Age: 600\r\n' +
      'Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n',
  );
  assert.match(cors.refusal({ ...ask, origin: 'https://evil.org' }), /origin/);
  assert.match(cors.refusal({ ...ask, method: 'DELETE' }), /method/);
  assert.match(cors.refusal({ ...ask, headers: 'x-other' }), /x-other/);
  assert.match(made({ origins: ['*'] }).refusal({ ...ask, headers: 'a:b' }), /no list/);
});

test('every origin with credentials is a mistake, and is told', () => {
  assert.equal(corsConfig.safeParse({ origins: ['*'], credentials: true }).success, false);
});
