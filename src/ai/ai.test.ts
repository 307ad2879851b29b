import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ERROR_CODES, type ErrorCode, GatehouseError } from '../kernel/error.ts';
import {
  errorBody,
  errorContentType,
  modelBody,
  modelIdOf,
  modelsBody,
  type Operation,
  recognize,
  streamError,
} from './ai.ts';

describe('recognize', () => {
  const known: [string, string, string, string, boolean, boolean][] = [
    ['POST', '/v1/chat/completions', 'openai', 'chat', true, true],
    ['POST', '/v1/completions', 'openai', 'text_completion', true, true],
    ['POST', '/v1/responses', 'openai', 'responses', true, false],
    ['POST', '/v1/embeddings', 'openai', 'embeddings', true, false],
    ['POST', '/v1/moderations', 'openai', 'moderations', true, false],
    ['POST', '/v1/images/generations', 'openai', 'images', true, false],
    ['POST', '/v1/audio/speech', 'openai', 'speech', true, false],
    ['POST', '/v1/rerank', 'openai', 'rerank', true, false],
    ['POST', '/score', 'openai', 'score', true, false],
    ['POST', '/tokenize', 'openai', 'tokenize', true, false],
    ['POST', '/v1/messages', 'anthropic', 'messages', true, false],
    ['POST', '/v1/messages/count_tokens', 'anthropic', 'count_tokens', true, false],
    ['GET', '/v1/models', 'openai', 'models', false, false],
    ['GET', '/v1/models/a', 'openai', 'model', false, false],
    ['HEAD', '/v1/models', 'openai', 'models', false, false],
  ];
  for (const [method, path, protocol, name, hasBody, asksUsage] of known) {
    it(`${method} ${path}`, () => {
      const operation = recognize(method, path);
      assert.deepEqual({ ...operation }, { protocol, name, hasBody, asksUsage });
      assert.equal(recognize(method, path), operation, 'not the same object');
    });
  }

  const unknown: [string, string][] = [
    ['GET', '/v1/chat/completions'],
    ['post', '/v1/chat/completions'],
    ['POST', '/V1/chat/completions'],
    ['POST', '/v1/chat/completions/'],
    ['POST', '/v1/chat/completions/x'],
    ['POST', '/api/v1/chat/completions'],
    ['POST', '//v1/chat/completions'],
    ['POST', '/v1/audio/transcriptions'],
    ['POST', '/v1/messages/batches'],
    ['POST', '/v1/models'],
    ['DELETE', '/v1/models/a'],
    ['GET', '/v1/models/'],
    ['GET', '/v1/modelsx'],
    ['GET', '/v1/responses/resp_1'],
    ['POST', '/constructor'],
    ['POST', ''],
  ];
  for (const [method, path] of unknown) {
    it(`not ${method} ${path}`, () => assert.equal(recognize(method, path), undefined));
  }

  it("tells whose /v1/models is meant by the client's version field", () => {
    const fields = { get: (name: string) => (name === 'anthropic-version' ? '2023-06-01' : undefined) };
    assert.equal(recognize('GET', '/v1/models', fields)?.protocol, 'anthropic');
    assert.equal(recognize('GET', '/v1/models/x', fields)?.protocol, 'anthropic');
    assert.equal(recognize('GET', '/v1/models', { get: () => undefined })?.protocol, 'openai');
  });

  it('decodes the id of a model', () => {
    assert.equal(modelIdOf('/v1/models/org%2Fname'), 'org/name');
    assert.equal(modelIdOf('/v1/models/org/name'), 'org/name');
    assert.equal(modelIdOf('/v1/models/%zz'), undefined);
    assert.equal(modelIdOf('/v1/models/'), undefined);
    assert.equal(modelIdOf('/v1/models'), undefined);
  });
});

const limited = new GatehouseError('rate_limited', 'Your key may send 10 requests a minute.', {
  rule: 'inference/limits/0',
  param: 'model',
  retryAfterMs: 1500,
});

describe('errorBody', () => {
  it("takes OpenAI's shape", () => {
    assert.deepEqual(JSON.parse(errorBody('openai', limited, 'req-1')), {
      error: {
        message: 'Your key may send 10 requests a minute. Rule: inference/limits/0. Try again in 2 s.',
        type: 'rate_limit_error',
        param: 'model',
        code: 'rate_limit_exceeded',
        rule: 'inference/limits/0',
        retry_after_ms: 1500,
        request_id: 'req-1',
      },
    });
  });

  it('ends the sentence before it goes on', () => {
    const error = new GatehouseError('no_endpoint', 'no server is available', {
      rule: 'inference',
      retryAfterMs: 1000,
    });
    const { message } = JSON.parse(errorBody('openai', error, 'req-1')).error;
    assert.equal(message, 'no server is available. Rule: inference. Try again in 1 s.');
  });

  it("takes Anthropic's shape", () => {
    assert.deepEqual(JSON.parse(errorBody('anthropic', limited, 'req-1')), {
      type: 'error',
      error: {
        type: 'rate_limit_error',
        message: 'Your key may send 10 requests a minute. Rule: inference/limits/0. Try again in 2 s.',
        code: 'rate_limited',
        param: 'model',
        rule: 'inference/limits/0',
        retry_after_ms: 1500,
      },
      request_id: 'req-1',
    });
  });

  it('is a problem (RFC 9457) for other clients', () => {
    assert.equal(errorContentType('http'), 'application/problem+json');
    assert.equal(errorContentType('openai'), 'application/json');
    assert.deepEqual(JSON.parse(errorBody('http', limited, 'req-1')), {
      title: 'Too Many Requests',
      status: 429,
      detail: 'Your key may send 10 requests a minute. Rule: inference/limits/0. Try again in 2 s.',
      code: 'rate_limited',
      param: 'model',
      rule: 'inference/limits/0',
      retry_after_ms: 1500,
      request_id: 'req-1',
    });
  });

  it('does not name a rule twice, nor what is not known', () => {
    const error = new GatehouseError('forbidden', 'Rule r1 forbids it.', { rule: 'r1' });
    assert.equal(JSON.parse(errorBody('openai', error, 'x')).error.message, 'Rule r1 forbids it.');
    const bare = new GatehouseError('no_endpoint', 'No server is up.');
    assert.deepEqual(JSON.parse(errorBody('openai', bare, 'x')).error, {
      message: 'No server is up.',
      type: 'service_unavailable_error',
      param: null,
      code: 'no_endpoint',
      request_id: 'x',
    });
  });

  const types: Partial<Record<ErrorCode, [string, string]>> = {
    bad_request: ['invalid_request_error', 'invalid_request_error'],
    unauthorized: ['authentication_error', 'authentication_error'],
    forbidden: ['permission_error', 'permission_error'],
    model_not_found: ['invalid_request_error', 'not_found_error'],
    request_timeout: ['invalid_request_error', 'timeout_error'],
    body_too_large: ['invalid_request_error', 'request_too_large'],
    internal: ['server_error', 'api_error'],
    upstream_reset: ['server_error', 'api_error'],
    overloaded: ['service_unavailable_error', 'overloaded_error'],
    first_byte_timeout: ['server_error', 'timeout_error'],
  };
  for (const [code, [openai, anthropic]] of Object.entries(types)) {
    it(`types of ${code}`, () => {
      const error = new GatehouseError(code as ErrorCode, 'x');
      assert.equal(JSON.parse(errorBody('openai', error, 'r')).error.type, openai);
      assert.equal(JSON.parse(errorBody('anthropic', error, 'r')).error.type, anthropic);
    });
  }

  it('knows a title for every code', () => {
    for (const code of ERROR_CODES) {
      assert.match(JSON.parse(errorBody('http', new GatehouseError(code, 'x'), 'r')).title, /^[A-Z]/, code);
    }
  });
});

describe('streamError', () => {
  const error = new GatehouseError('upstream_reset', 'line\nbreak "quoted"');
  const of = (path: string) => streamError(recognize('POST', path) as Operation, error);

  it('is one data line for chat and completions', () => {
    for (const path of ['/v1/chat/completions', '/v1/completions']) {
      const match = /^data: (.*)\n\n$/.exec(of(path));
      assert.deepEqual(JSON.parse(match?.[1] ?? ''), {
        error: { message: 'line\nbreak "quoted"', type: 'server_error', param: null, code: 'upstream_reset' },
      });
    }
  });

  it('is an error event for responses, with what either kind of reader looks at', () => {
    const match = /^event: error\ndata: (.*)\n\n$/.exec(of('/v1/responses'));
    const event = JSON.parse(match?.[1] ?? '');
    assert.equal(event.type, 'error');
    assert.equal(event.code, 'upstream_reset');
    assert.equal(event.message, event.error.message);
    assert.equal(event.sequence_number, 0);
  });

  it('is an error event for messages', () => {
    const match = /^event: error\ndata: (.*)\n\n$/.exec(of('/v1/messages'));
    assert.deepEqual(JSON.parse(match?.[1] ?? ''), {
      type: 'error',
      error: { type: 'api_error', message: 'line\nbreak "quoted"', code: 'upstream_reset' },
    });
  });
});

describe('models', () => {
  const models = [
    { id: 'a/b', ownedBy: 'me', createdAt: 1_750_000_000.7 },
    { id: 'c', ownedBy: 'you', createdAt: 0 },
  ] as const;

  it("are listed in OpenAI's shape", () => {
    assert.deepEqual(JSON.parse(modelsBody('openai', models)), {
      object: 'list',
      data: [
        { id: 'a/b', object: 'model', created: 1_750_000_000, owned_by: 'me' },
        { id: 'c', object: 'model', created: 0, owned_by: 'you' },
      ],
    });
    assert.equal(JSON.parse(modelBody('openai', models[0])).id, 'a/b');
  });

  it("are listed in Anthropic's shape", () => {
    assert.deepEqual(JSON.parse(modelsBody('anthropic', models)), {
      data: [
        { type: 'model', id: 'a/b', display_name: 'a/b', created_at: '2025-06-15T15:06:40Z' },
        { type: 'model', id: 'c', display_name: 'c', created_at: '1970-01-01T00:00:00Z' },
      ],
      has_more: false,
      first_id: 'a/b',
      last_id: 'c',
    });
    assert.equal(JSON.parse(modelsBody('anthropic', [])).first_id, null);
    assert.equal(JSON.parse(modelBody('anthropic', models[1])).created_at, '1970-01-01T00:00:00Z');
  });
});
