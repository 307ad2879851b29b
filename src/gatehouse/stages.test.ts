import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeWorker } from './pipeline.fixture.ts';

const CHAT = 'POST /v1/chat/completions';
const body = (more: object = {}) => JSON.stringify({ model: 'm', messages: [], ...more });
const lines = (fields: string | undefined) => (fields ?? '').split('\r\n').filter((line) => line !== '');

describe('identify', () => {
  const cases: [line: string, fields: string[], protocol: string, operation: string][] = [
    [CHAT, [], 'openai', 'chat'],
    ['POST /v1/embeddings', [], 'openai', 'embeddings'],
    ['POST /v1/messages', [], 'anthropic', 'messages'],
    ['GET /v1/models', [], 'openai', 'models'],
    ['GET /v1/models', ['anthropic-version: 2023-06-01'], 'anthropic', 'models'],
    ['GET /v1/chat/completions', [], 'http', ''],
    ['POST /elsewhere', [], 'http', ''],
  ];
  for (const [line, fields, protocol, operation] of cases) {
    test(`${line} ${fields.join()}`, () => {
      const { exchange } = makeWorker().send(line, fields, line.startsWith('POST') ? body() : undefined);
      assert.deepEqual([exchange.protocol, exchange.operation], [protocol, operation]);
    });
  }

  test('a request id is taken from trusted hops only, and only when it is one', () => {
    const { send } = makeWorker();
    const id = (given: string, trusted: boolean) =>
      send('GET /v1/models', [`x-request-id: ${given}`], undefined, { peer: { address: '10.0.0.9', port: 1, trusted } })
        .exchange.id;
    assert.equal(id('abc-1', true), 'abc-1');
    assert.match(id('abc-1', false), /^id-/);
    assert.match(id('a b', true), /^id-/);
    assert.match(id('x'.repeat(129), true), /^id-/);
    assert.notEqual(id('', true), id('', true));
  });
});

describe('guard', () => {
  const cases: [line: string, fields: string[], status: number, code: string][] = [
    ['TRACE /', [], 405, 'method_not_allowed'],
    ['TRACK /', [], 405, 'method_not_allowed'],
    ['GET /v1/models', ['Via: 1.1 gatehouse-test'], 508, 'loop_detected'],
    ['GET /v1/models', ['Via: 1.1 a', 'Via: 1.1 gatehouse-test, 1.1 b'], 508, 'loop_detected'],
    ['OPTIONS /v1/models', ['Max-Forwards: 0'], 508, 'loop_detected'],
    ['GET /v1/models', ['Via: 1.1 another'], 200, ''],
    ['GET /v1/models', ['Max-Forwards: 0'], 200, ''],
  ];
  for (const [line, fields, status, code] of cases) {
    test(`${line} ${fields.join(' ')}`, () => {
      const { send, faults } = makeWorker();
      const { answer, exchange } = send(line, fields);
      assert.equal(answer?.status, status);
      assert.equal(exchange.error?.code ?? '', code);
      assert.deepEqual(faults, code === 'loop_detected' && fields[0]?.startsWith('Via') ? ['loop'] : []);
    });
  }
});

describe('route, peek, model', () => {
  const settings = {
    models: {
      m: { versions: [{ name: 'v', upstream: 'gpu' }] },
      named: { versions: [{ name: 'v', upstream: 'gpu', model: 'vendor/Real-Name' }] },
    },
    routes: [
      { name: 'ai', match: { path: '/v1/*' }, models: ['m', 'named'] },
      { name: 'special', match: { path: '/v1/*', model: 'special-*' }, upstream: 'gpu' },
      { name: 'below', match: { path: '/tenant/*' }, models: ['m'], rewrite: { path: '/*' } },
      { name: 'web', match: { path: '/web/*' }, upstream: 'web' },
      { name: 'small', match: { path: '/small/*' }, upstream: 'web', maxBody: 10 },
    ],
  };
  const refused: [
    name: string,
    line: string,
    fields: string[],
    body: string | undefined,
    code: string,
    param?: string,
  ][] = [
    ['no route', 'GET /nowhere', [], undefined, 'not_found'],
    ['a path of two meanings', 'GET /v1/../web/x', [], undefined, 'bad_request', 'path'],
    ['no model', CHAT, [], '{"messages":[]}', 'invalid_body', 'model'],
    ['no body', CHAT, [], undefined, 'invalid_body', 'model'],
    ['no JSON', CHAT, [], '{"model":', 'invalid_body'],
    ['a model that is no name', CHAT, [], '{"model":1}', 'invalid_body', 'model'],
    ['a model of which there are two', CHAT, [], '{"model":"m","model":"named"}', 'invalid_body', 'model'],
    ['an unknown model', CHAT, [], '{"model":"other"}', 'model_not_found', 'model'],
    ['a compressed body', CHAT, ['Content-Encoding: gzip'], body(), 'unsupported_media_type'],
    ['a body beyond the route limit', 'POST /small/x', [], 'x'.repeat(11), 'body_too_large'],
  ];
  for (const [name, line, fields, sent, code, param] of refused) {
    test(`refused: ${name}`, () => {
      const { send, ended } = makeWorker(settings);
      const { exchange, answer, forwarded } = send(line, fields, sent);
      assert.equal(forwarded, undefined);
      assert.deepEqual([exchange.error?.code, exchange.error?.param], [code, param]);
      assert.equal(answer?.status, exchange.status);
      assert.equal(exchange.outcome, 'denied');
      assert.deepEqual(ended, [exchange]);
    });
  }

  const taken: [
    name: string,
    line: string,
    fields: string[],
    body: string | undefined,
    route: string,
    upstream: string,
  ][] = [
    ['by model', CHAT, [], body(), 'ai', 'gpu'],
    ['identity is no coding', CHAT, ['Content-Encoding: identity'], body(), 'ai', 'gpu'],
    ['a route of a model', CHAT, [], '{"model":"special-1"}', 'special', 'gpu'],
    ['no AI at all', 'POST /web/x', [], 'anything', 'web', 'web'],
    ['a body within the route limit', 'POST /small/x', [], 'x'.repeat(10), 'small', 'web'],
  ];
  for (const [name, line, fields, sent, route, upstream] of taken) {
    test(`taken: ${name}`, () => {
      const { exchange, forwarded, answer } = makeWorker(settings).send(line, fields, sent);
      assert.equal(answer, undefined);
      assert.deepEqual([exchange.route, forwarded?.upstream.name], [route, upstream]);
    });
  }

  test('an API below a prefix that the route takes off is recognised', () => {
    const { send } = makeWorker(settings);
    const asked = send('POST /tenant/v1/chat/completions', [], body({ stream: true }));
    const { exchange, target, reads, asksUsage } = asked.forwarded as NonNullable<typeof asked.forwarded>;
    assert.deepEqual([target, exchange.protocol, exchange.operation], ['/v1/chat/completions', 'openai', 'chat']);
    assert.deepEqual([reads, asksUsage], [true, true]);
    const refused = send('POST /tenant/v1/messages', [], '{"model":"other"}').answer;
    assert.equal(JSON.parse(refused?.body ?? '').type, 'error');
    assert.equal(JSON.parse(send('GET /tenant/v1/models').answer?.body ?? '').data.length, 1);
    assert.equal(JSON.parse(send('GET /tenant/v1/models/m').answer?.body ?? '').id, 'm');
    assert.equal(send('POST /tenant/other', [], body()).exchange.operation, '');
  });

  test('a body that nobody must read is not held', () => {
    assert.equal(makeWorker(settings).send('POST /web/x', [], 'anything').forwarded?.body, undefined);
  });

  test('what is held is forwarded byte for byte, unless the model has another name there', () => {
    const { send } = makeWorker(settings);
    const odd = '{ "x":[1,{"model":"no"}],\t"model" : "m"}\n';
    assert.equal(send(CHAT, [], odd).forwarded?.body?.toString(), odd);
    const renamed = send(CHAT, [], '{ "a":1, "model" : "named" }').forwarded;
    assert.equal(renamed?.body?.toString(), '{ "a":1, "model" : "vendor/Real-Name" }');
    assert.equal(renamed?.exchange.model, 'named');
    assert.equal(renamed?.exchange.version, 'v');
  });

  test('usage is asked for in streams whose client did not ask', () => {
    const { send } = makeWorker(settings);
    const asks = (more: object) => {
      const passage = send(CHAT, [], body(more)).forwarded;
      const sent = JSON.parse(passage?.body?.toString() ?? '') as { stream_options?: unknown };
      return [passage?.asksUsage, passage?.exchange.stream, sent.stream_options];
    };
    assert.deepEqual(asks({}), [false, false, undefined]);
    assert.deepEqual(asks({ stream: true }), [true, true, { include_usage: true }]);
    assert.deepEqual(asks({ stream: true, stream_options: { include_usage: true } }), [
      false,
      true,
      { include_usage: true },
    ]);
  });

  test('the list of models is answered here, in the shape of the client, and names only those of the route', () => {
    const { send } = makeWorker(settings);
    const ids = (fields: string[]) =>
      (JSON.parse(send('GET /v1/models', fields).answer?.body ?? '') as { data: { id: string }[] }).data.map(
        (m) => m.id,
      );
    assert.deepEqual(ids([]), ['m', 'named']);
    assert.deepEqual(ids(['anthropic-version: 2023-06-01']), ['m', 'named']);
    assert.equal(JSON.parse(send('GET /v1/models/named').answer?.body ?? '').id, 'named');
    const { answer, exchange } = send('GET /v1/models/other');
    assert.deepEqual([answer?.status, exchange.error?.code], [404, 'model_not_found']);
  });
});

describe('compose', () => {
  const settings = (rewrite: object | undefined, upstream: object = {}) => ({
    upstreams: { web: { endpoints: [{ url: 'http://10.0.0.1' }], ...upstream } },
    models: {},
    routes: [{ name: 'web', match: { path: '/a/*' }, upstream: 'web', ...(rewrite && { rewrite }) }],
  });

  test('fields of the hop stay behind, forwarding fields are written anew', () => {
    const sent = [
      'X-Kept: 1',
      'Connection: x-named',
      'X-Named: 2',
      'Keep-Alive: 5',
      'X-Forwarded-For: 6.6.6.6',
      'Via: 1.0 a',
    ];
    const forwarded = makeWorker(settings(undefined)).send('GET /a/b?c', sent).forwarded;
    assert.equal(forwarded?.target, '/a/b?c');
    assert.deepEqual(lines(forwarded?.fields), [
      'X-Kept: 1',
      'X-Forwarded-For: 203.0.113.9',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: api.test',
      'Via: 1.0 a, 1.1 gatehouse-test',
      `x-request-id: ${forwarded?.exchange.id}`,
    ]);
  });

  test('what a trusted hop has written is extended', () => {
    const sent = ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Host: front.test'];
    const trusted = { peer: { address: '10.0.0.9', port: 1, trusted: true } };
    const forwarded = makeWorker(settings(undefined)).send('GET /a/b', sent, undefined, trusted).forwarded;
    assert.deepEqual(lines(forwarded?.fields).slice(0, 3), [
      'X-Forwarded-For: 6.6.6.6, 10.0.0.9',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: front.test',
    ]);
  });

  const hosts: [rewrite: object | undefined, upstream: object, host: string][] = [
    [undefined, {}, 'endpoint'],
    [undefined, { host: 'preserve' }, 'api.test'],
    [undefined, { host: 'literal.test' }, 'literal.test'],
    [{ host: 'route.test' }, { host: 'preserve' }, 'route.test'],
  ];
  for (const [rewrite, upstream, host] of hosts) {
    test(`host ${JSON.stringify(rewrite)} ${JSON.stringify(upstream)}`, () => {
      assert.equal(makeWorker(settings(rewrite, upstream)).send('GET /a/b').forwarded?.host, host);
    });
  }

  test('rewrites of path and fields', () => {
    const rewrite = {
      path: '/z/*',
      requestHeaders: { set: { 'x-a': 'new' }, remove: ['cookie'], add: { 'x-b': '2' } },
    };
    const forwarded = makeWorker(settings(rewrite)).send('GET /a/b?c', ['X-A: old', 'Cookie: s', 'X-B: 1']).forwarded;
    assert.equal(forwarded?.target, '/z/b?c');
    assert.deepEqual(
      lines(forwarded?.fields).filter((line) => /^(x-[ab]|cookie):/i.test(line)),
      ['X-B: 1', 'x-a: new', 'x-b: 2'],
    );
  });

  test('an upgrade travels, h2c does not', () => {
    const { send } = makeWorker(settings(undefined));
    const upgrade = (to: string) => send('GET /a/b', ['Connection: upgrade', `Upgrade: ${to}`]).forwarded?.upgrade;
    assert.equal(upgrade('websocket'), 'websocket');
    assert.equal(upgrade('h2c'), '');
  });

  test('an answer that is to be read is asked for uncompressed', () => {
    const { send } = makeWorker();
    const fields = lines(send(CHAT, ['Accept-Encoding: gzip'], body()).forwarded?.fields);
    assert.deepEqual(
      fields.filter((line) => /^accept-encoding/i.test(line)),
      ['Accept-Encoding: identity'],
    );
  });
});

test('a mistake in a stage costs one request, and the log has the details', () => {
  const { worker, send, notices } = makeWorker();
  (worker.snapshot.router as { match: unknown }).match = () => {
    throw new Error('boom');
  };
  const { answer, exchange } = send(CHAT, [], body());
  assert.equal(answer?.status, 500);
  assert.match(notices[0] ?? '', new RegExp(`^request ${exchange.id}: Error: boom`));
  assert.doesNotMatch(answer?.body ?? '', /boom/);
});
