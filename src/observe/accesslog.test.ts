import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { GatehouseError } from '../kernel/error.ts';
import type { Identity } from '../kernel/identity.ts';
import { ACCESS_LOG_FIELDS, accessLogLine } from './accesslog.ts';
import { type Sample, sampleExchange } from './sample.test.fixture.ts';

const clock = new ManualClock(Date.UTC(2026, 10, 21, 20, 52, 30, 7));

function parsed(sample: Sample = {}): Record<string, unknown> {
  const line = accessLogLine(sampleExchange(sample), clock);
  assert.ok(line.endsWith('}\n'));
  assert.equal(line.indexOf('\n'), line.length - 1);
  return JSON.parse(line);
}

test('a completed stream, whole', () => {
  assert.deepEqual(parsed(), {
    timestamp: '2026-11-21T20:52:30.007Z',
    request_id: '01J9Z3V5K8Q2',
    'client.address': '192.0.2.7',
    listener: 'public',
    'http.request.method': 'POST',
    'url.scheme': 'https',
    'network.protocol.version': '2',
    'server.address': 'api.example.com',
    'url.path': '/v1/chat/completions',
    protocol: 'openai',
    'gen_ai.operation.name': 'chat',
    route: 'inference',
    'gen_ai.request.model': 'deepseek-chat',
    version: 'stable',
    upstream: 'deepseek',
    endpoint: '10.0.0.1:8000',
    class: 'batch',
    'http.response.status_code': 200,
    outcome: 'completed',
    tries: 1,
    'http.request.body.size': 900,
    'http.response.body.size': 4096,
    duration_ms: 1500,
    ttfb_ms: 200,
    ttft_ms: 500,
    upstream_ms: 1498.75,
    stream: true,
    'gen_ai.usage.input_tokens': 100,
    'gen_ai.usage.output_tokens': 51,
    'gen_ai.usage.cache_read.input_tokens': 20,
    'gen_ai.usage.reasoning.output_tokens': 5,
    'usage.source': 'counted',
    'user_agent.original': 'openai-node/6.49',
  });
});

test('a refusal before any route, whole', () => {
  const sample: Sample = {
    exchange: {
      protocol: 'http',
      operation: '',
      route: '',
      model: '',
      version: '',
      upstream: '',
      endpoint: '',
      stream: false,
      status: 400,
      outcome: 'denied',
      error: new GatehouseError('bad_request', 'A "bare" CR.', { rule: 'strict' }),
      tries: 0,
      usage: undefined,
      requestBytes: 0,
      responseBytes: 80,
      forwardedAt: 0,
      firstByteAt: 0,
      firstTokenAt: 0,
      endedAt: 1000.0625,
    },
    head: { get: () => undefined },
  };
  assert.deepEqual(parsed(sample), {
    timestamp: '2026-11-21T20:52:30.007Z',
    request_id: '01J9Z3V5K8Q2',
    'client.address': '192.0.2.7',
    listener: 'public',
    'http.request.method': 'POST',
    'url.scheme': 'https',
    'network.protocol.version': '2',
    'server.address': 'api.example.com',
    'url.path': '/v1/chat/completions',
    'http.response.status_code': 400,
    outcome: 'denied',
    'error.type': 'bad_request',
    'error.rule': 'strict',
    'error.message': 'A "bare" CR.',
    tries: 0,
    'http.request.body.size': 0,
    'http.response.body.size': 80,
    duration_ms: 0.063,
  });
});

test('the declared keys are those of the fullest line, in their order', () => {
  const error = new GatehouseError('upstream_incomplete', 'Cut.', { rule: 'r' });
  const names = { principal: 'alice', credential: 'key_1', account: 'key_1', tenant: 'acme', plan: '' };
  const may = { scopes: new Set<string>(), roles: new Set<string>(), models: undefined, claims: {} };
  const identity: Identity = { method: 'apiKey', ...names, ...may, expiresAt: Number.POSITIVE_INFINITY };
  assert.deepEqual(
    Object.keys(parsed({ exchange: { error, identity } })),
    ACCESS_LOG_FIELDS.map((f) => f.key),
  );
});

test('every line is one line of JSON and says what came, whatever bytes came', () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 });
  const latin1 = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  fc.assert(
    fc.property(latin1, latin1, latin1, text, text, text, (path, agent, host, model, rule, message) => {
      const line = parsed({
        fields: { 'user-agent': agent },
        head: { path, host, method: host },
        exchange: { model, route: rule, endpoint: path, error: new GatehouseError('internal', message, { rule }) },
      });
      const said = [line['url.path'], line['user_agent.original'], line['server.address'], line['http.request.method']];
      assert.deepEqual(said, [path, agent, host, host]);
      assert.deepEqual([line['error.rule'], line['error.message'], line.route ?? ''], [rule, message, rule]);
      assert.equal(line['gen_ai.request.model'] ?? '', model);
    }),
  );
});

test('no line can steer a terminal or be split', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (path) => {
      const line = accessLogLine(sampleExchange({ head: { path } }), clock);
      assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\u2028\u2029]/u);
    }),
  );
});

test('numbers that are no JSON numbers become 0', () => {
  const usage = {
    inputTokens: Number.NaN,
    outputTokens: Number.POSITIVE_INFINITY,
    cachedInputTokens: -1,
    reasoningTokens: 0,
  };
  const line = parsed({ exchange: { usage, endedAt: Number.NaN } });
  assert.equal(line['gen_ai.usage.input_tokens'], 0);
  assert.equal(line['gen_ai.usage.output_tokens'], 0);
  assert.equal(line.duration_ms, 0);
});

test('long client text is cut and says so; the line stays bounded', () => {
  const long = 'ü'.repeat(100_000);
  const line = parsed({
    fields: { 'user-agent': long },
    head: { path: long, host: long, method: long },
    exchange: { model: long },
  });
  assert.equal((line['url.path'] as string).length, 1024);
  assert.ok((line['user_agent.original'] as string).endsWith('…'));
  assert.ok(JSON.stringify(line).length < 6000);
});

test('the same endpoint under another version or model is not mistaken', () => {
  for (const [version, model, operation] of [
    ['stable', 'a', 'chat'],
    ['candidate', 'a', 'chat'],
    ['stable', 'b', 'embeddings'],
    ['stable', 'a', 'embeddings'],
    ['stable', 'a', 'chat'],
  ] as const) {
    const line = parsed({ exchange: { version, model, operation } });
    assert.deepEqual(
      [line.version, line['gen_ai.request.model'], line['gen_ai.operation.name']],
      [version, model, operation],
    );
  }
});
