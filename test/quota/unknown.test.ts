/** Operations that nobody can count, at limits on tokens and money, on real sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../gateway.ts';
import { rawClient } from '../raw.ts';
import { serve } from './server.fixture.ts';

const KEY = 'a-key-0123456789abcdef';
const BODY = '{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":900}';
const TOKENS = { name: 'tokens', key: 'resource', tokens: '1000/10m' };
const CALLS = { name: 'calls', key: 'resource', requests: '2/10m' };

const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
const BEARER = `Authorization: Bearer ${KEY}\r\n`;

/** A route that is chosen by its host. */
const route = (name: string, to: object) => ({ name, match: { host: `${name}.test` }, ...to });

test('where tokens or money are limited, what nobody can count is refused before anything is taken', async (t) => {
  const seen: string[] = [];
  const url = await serve(t, (request, response) => {
    seen.push(`${request.headers.host} ${request.method} ${request.url}`);
    request.resume();
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end('{"object":"chat.completion","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":900}}');
    });
  });
  const endpoints = [{ url }];
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: {
      ai: { protocol: 'openai', host: 'preserve', endpoints },
      messages: { protocol: 'anthropic', host: 'preserve', endpoints },
      rented: { protocol: 'openai', host: 'preserve', endpoints },
      web: { host: 'preserve', endpoints },
    },
    prices: { default: { output: 1, when: [{ upstream: 'rented', output: 0, perRequest: 1 }] } },
    models: { m: { versions: [{ name: 'v', upstream: 'ai' }] } },
    access: { keys: [{ name: 'k', key: KEY, tenant: 'acme' }] },
    plans: { small: { limits: [{ ...TOKENS, key: 'tenant' }] } },
    tenants: { acme: { plan: 'small' } },
    routes: [
      route('strict', { upstream: 'ai', limits: [TOKENS, CALLS] }),
      route('prefixed', {
        upstream: 'ai',
        limits: [TOKENS],
        rewrite: { path: '/v1/*' },
        match: { host: 'prefixed.test', path: '/x/*' },
      }),
      route('messages', { upstream: 'messages', limits: [{ ...TOKENS, tokens: undefined, outputTokens: '5k/10m' }] }),
      route('models', { models: ['m'], limits: [TOKENS] }),
      route('money', { upstream: 'ai', limits: [{ name: 'money', key: 'resource', credits: '5/day' }] }),
      route('rent', { upstream: 'rented', limits: [{ name: 'rent', key: 'resource', credits: '1/day' }] }),
      route('planned', { upstream: 'ai', access: { anyOf: ['apiKey'] } }),
      route('open', { upstream: 'ai', limits: [TOKENS], unknownOperations: 'allow' }),
      route('watched', { upstream: 'ai', limits: [{ ...TOKENS, mode: 'observe' }] }),
      route('web', { upstream: 'web', access: { anyOf: ['apiKey'] } }),
      route('counted', { upstream: 'ai', limits: [CALLS] }),
    ],
  });
  t.after(() => gateway.stop());

  const ask = async (name: string, line: string, { fields = '', body = '' } = {}) => {
    const client = await rawClient(gateway.port);
    const length = body === '' || fields === CHUNKED ? '' : `Content-Length: ${body.length}\r\n`;
    await client.send(`${line} HTTP/1.1\r\nHost: ${name}.test\r\n${fields}${length}\r\n${body}`);
    const answer = await client.read();
    client.close();
    return answer;
  };

  for (const [name, line, more, rule, protocol = 'openai'] of [
    ['strict', 'POST /api/chat', { body: BODY }, 'strict/tokens'],
    ['strict', 'POST /v1/batches', { body: '{}' }, 'strict/tokens'],
    ['strict', 'POST /invocations', { fields: CHUNKED, body: '2\r\n{}\r\n0\r\n\r\n' }, 'strict/tokens'],
    ['strict', 'PUT /v1/chat/completions', { body: BODY }, 'strict/tokens'],
    ['strict', 'GET /generate', { body: BODY }, 'strict/tokens'],
    ['strict', 'POST /v1/files/', { body: BODY }, 'strict/tokens'],
    ['strict', 'GET /v1/realtime', { fields: UPGRADE }, 'strict/tokens'],
    ['strict', 'POST /v1/x', { body: BODY, fields: 'anthropic-version: 2023-06-01\r\n' }, 'strict/tokens', 'anthropic'],
    ['messages', 'POST /v1/messages/batches', { body: BODY }, 'messages/tokens', 'anthropic'],
    ['prefixed', 'POST /x/batches', { body: BODY }, 'prefixed/tokens'],
    ['models', 'POST /api/chat', { body: BODY }, 'models/tokens'],
    ['money', 'POST /api/chat', { body: BODY }, 'money/money'],
    ['planned', 'POST /api/chat', { body: BODY, fields: BEARER }, 'plan:small/tokens'],
  ] as const) {
    const answer = await ask(name, line, more);
    assert.equal(answer.status, 403, `${name} ${line}: ${answer.body}`);
    const told = JSON.parse(answer.body) as { type?: string; error: { type: string; code?: string; message: string } };
    assert.equal(told.error.type, 'permission_error');
    if (protocol === 'anthropic') assert.equal(told.type, 'error');
    else assert.equal(told.error.code, 'unknown_operation');
    assert.match(told.error.message, /nobody can count what it uses.*unknownOperations of the route/);
    assert.ok(told.error.message.includes(rule), told.error.message);
    assert.match(answer.raw, /x-should-retry: false/i);
  }
  assert.deepEqual(seen, [], 'something was sent');

  // Nothing was taken: the whole of each limit is there.
  assert.equal((await ask('strict', 'POST /v1/chat/completions', { body: BODY })).status, 200);
  assert.equal((await ask('strict', 'GET /v1/models')).status, 200);
  assert.equal((await ask('strict', 'GET /v1/models')).status, 429);
  seen.length = 0;

  for (const [name, line, more] of [
    ['prefixed', 'GET /x/files', {}],
    ['prefixed', 'DELETE /x/files/file-1', {}],
    ['prefixed', 'POST /x/files', { body: 'a file' }],
    ['open', 'POST /api/chat', { body: BODY }],
    ['watched', 'POST /api/chat', { body: BODY }],
    ['rent', 'POST /api/chat', { body: BODY }],
    ['web', 'POST /mcp', { body: '{}', fields: BEARER }],
    ['counted', 'POST /api/chat', { body: BODY }],
  ] as const) {
    const answer = await ask(name, line, more);
    assert.equal(answer.status, 200, `${name} ${line}: ${answer.body}`);
  }
  assert.equal(seen.length, 8);
  // What is paid by the request needs no tokens to be counted.
  assert.equal((await ask('rent', 'POST /api/chat', { body: BODY })).status, 429);
  await gateway.metricReaches('gatehouse_limit_exceeded_total{rule="watched/tokens",result="observed"}', 1);
  await gateway.metricReaches('gatehouse_denied_total{code="unknown_operation",rule="strict/tokens"}', 8);
});
