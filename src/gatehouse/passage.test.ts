import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ERROR_CODES, GatehouseError } from '../kernel/error.ts';
import type { Protocol } from '../kernel/exchange.ts';
import { Passage } from './passage.ts';
import { makeWorker } from './pipeline.fixture.ts';

/** Codes for which the clients' libraries have names of their own. */
const KNOWN_TO_CLIENTS = new Map([
  ['unauthorized', 'invalid_api_key'],
  ['rate_limited', 'rate_limit_exceeded'],
]);

function refuse(protocol: Protocol, error: GatehouseError) {
  const { worker, ended, come } = makeWorker();
  const { exchange, client } = come('GET /');
  exchange.protocol = protocol;
  exchange.id = 'id-1';
  new Passage(exchange, worker).refuse(error);
  assert.deepEqual(ended, [exchange]);
  const { answered } = client;
  assert.ok(answered);
  const fields = new Map(
    answered.fields
      .split('\r\n')
      .filter((line) => line !== '')
      .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  return { ...answered, fields, json: JSON.parse(answered.body), exchange };
}

describe('what a client of each protocol is told', () => {
  for (const code of ERROR_CODES) {
    test(code, () => {
      const error = new GatehouseError(code, 'What is wrong, and "what" to do.', { rule: 'the-rule', param: 'model' });
      for (const protocol of ['openai', 'anthropic', 'http'] as const) {
        const { status, fields, json, closes, exchange } = refuse(protocol, error);
        assert.equal(status, error.status);
        assert.equal(closes, error.close);
        assert.equal(fields.get('x-request-id'), 'id-1');
        assert.equal(fields.get('proxy-status'), `gatehouse; error=${error.proxyError}; details="${code}"`);
        assert.equal(fields.get('date'), 'Sun, 15 Jun 2025 15:06:40 GMT');
        assert.deepEqual([exchange.outcome, exchange.status, exchange.error], ['denied', error.status, error]);
        if (protocol === 'http') {
          assert.equal(fields.get('content-type'), 'application/problem+json');
          assert.equal(json.status, status);
          assert.match(json.detail, /What is wrong/);
          continue;
        }
        assert.equal(fields.get('content-type'), 'application/json');
        assert.match(json.error.message, /What is wrong, and "what" to do\./);
        assert.equal(typeof json.error.type, 'string');
        if (protocol === 'anthropic') assert.equal(json.type, 'error');
        else assert.deepEqual([json.error.code, json.error.param], [KNOWN_TO_CLIENTS.get(code) ?? code, 'model']);
      }
    });
  }
});

test('when to try again is told in whole seconds, never 0', () => {
  for (const [retryAfterMs, seconds] of [
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [0, '1'],
  ] as const) {
    const { fields } = refuse('openai', new GatehouseError('rate_limited', 'Slow down.', { retryAfterMs }));
    assert.equal(fields.get('retry-after'), seconds);
  }
  assert.equal(refuse('openai', new GatehouseError('rate_limited', 'Slow down.')).fields.has('retry-after'), false);
});

test('fields of an error travel; a refused method names those that are served', () => {
  const challenge = new GatehouseError('unauthorized', 'Who are you?', { fields: [['WWW-Authenticate', 'Bearer']] });
  assert.equal(refuse('http', challenge).fields.get('www-authenticate'), 'Bearer');
  assert.match(refuse('http', new GatehouseError('method_not_allowed', 'No.')).fields.get('allow') ?? '', /^GET, HEAD/);
});

test('what failed on its way is no denial', () => {
  const { worker, come } = makeWorker();
  const { exchange, client } = come('GET /');
  new Passage(exchange, worker).answer(exchange, new GatehouseError('upstream_refused', 'Nobody is there.'));
  assert.equal(exchange.outcome, 'failed');
  assert.equal(client.answered?.status, 502);
});
