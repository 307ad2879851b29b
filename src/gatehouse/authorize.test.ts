import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { as, CHAT, chat, fn, settings } from './permission.fixture.ts';
import { makeWorker } from './pipeline.fixture.ts';

interface Case {
  title: string;
  as: string;
  line?: string;
  body?: string;
  fields?: string[];
  /** 0: forwarded. */
  status: number;
  rule?: string;
  says?: RegExp;
}

const cases: Case[] = [
  { title: 'within the plan', as: 'free', body: chat({ max_tokens: 100 }), status: 0 },
  {
    title: 'a model beyond the plan',
    as: 'free',
    body: chat({ model: 'other' }),
    status: 404,
    rule: 'plan:trial/models',
    says: /`other` does not exist, or you may not use it/,
  },
  {
    title: 'a model that does not exist: the same words',
    as: 'free',
    body: chat({ model: 'nonsense' }),
    status: 404,
    rule: 'plan:trial/models',
    says: /`nonsense` does not exist, or you may not/,
  },
  { title: 'a model beyond the key', as: 'narrow', body: chat({ model: 'm-large' }), status: 404, rule: 'key/models' },
  { title: 'the model of the key', as: 'narrow', body: chat(), status: 0 },
  {
    title: 'no model where some only are allowed',
    as: 'free',
    line: 'POST /raw/v1/chat/completions',
    body: '{}',
    status: 403,
    rule: 'plan:trial/models',
    says: /names none/,
  },
  {
    title: 'a model in a body of a route that only relays',
    as: 'narrow',
    line: 'POST /raw/v1/chat/completions',
    body: chat({ model: 'x' }),
    status: 404,
    rule: 'key/models',
  },
  {
    title: 'a path that nobody knows, before a server that speaks of models',
    as: 'narrow',
    line: 'POST /raw/v1//chat/completions',
    body: chat({ model: 'x' }),
    status: 404,
    rule: 'key/models',
  },
  {
    title: 'a body that hides its model',
    as: 'narrow',
    line: 'POST /raw/v1/chat/completions',
    body: '{"model":"m","Model":"x"}',
    status: 400,
    says: /only in case/,
  },
  {
    title: 'a compressed body',
    as: 'narrow',
    line: 'POST /raw/v1/chat/completions',
    fields: ['Content-Encoding: gzip'],
    body: 'x',
    status: 415,
  },
  {
    title: 'a tunnel',
    as: 'narrow',
    line: 'GET /raw/v1/realtime?model=x',
    fields: ['Connection: Upgrade', 'Upgrade: websocket'],
    status: 403,
    says: /tunnel/,
  },
  { title: 'a server of something else', as: 'narrow', line: 'POST /web', body: 'anything', status: 0 },
  { title: 'a tool of the plan', as: 'free', body: chat({ ...fn('get_time'), max_tokens: 9 }), status: 0 },
  {
    title: 'a tool beyond the plan',
    as: 'free',
    body: chat(fn('delete_all')),
    status: 403,
    rule: 'plan:trial/tools',
    says: /`delete_all` may not be used/,
  },
  {
    title: 'a built-in tool under an allowed name',
    as: 'free',
    body: chat({ tools: [{ type: 'code_interpreter', name: 'get_x' }] }),
    status: 403,
    rule: 'plan:trial/tools',
  },
  {
    title: 'a hidden tool',
    as: 'free',
    body: `{"model":"m","tools":[],"tools":[${JSON.stringify(fn('x').tools[0])}]}`,
    status: 400,
    says: /is given twice/,
  },
  {
    title: 'too many tokens',
    as: 'free',
    body: chat({ max_tokens: 101 }),
    status: 403,
    rule: 'plan:trial/maxTokens',
    says: /101 tokens, and the plan trial allows 100/,
  },
  {
    title: 'a body beyond the plan',
    as: 'free',
    body: chat({ pad: 'x'.repeat(1100) }),
    status: 413,
    rule: 'plan:trial/maxBody',
  },
  { title: 'a route beyond the plan', as: 'free', line: 'GET /web', status: 403, rule: 'plan:trial/routes' },
  { title: 'the plan of the key before that of the tenant', as: 'own', line: 'GET /web', status: 0 },
  { title: 'a tenant that is switched off', as: 'off', line: 'GET /web', status: 403, rule: 'tenant/disabled' },
  {
    title: 'a trial that is over',
    as: 'late',
    body: chat(),
    status: 403,
    rule: 'tenant/trial',
    says: /The trial ended on 1970-01-01/,
  },
  { title: 'a plan that does not exist', as: 'stray', line: 'GET /web', status: 403, rule: 'plan/unknown' },
  { title: 'no plan and no tenant: what is not forbidden', as: 'nobody', line: 'GET /web', status: 0 },
  { title: 'no role', as: 'nobody', line: 'GET /admin', status: 403, rule: 'route:admin/scopes' },
  { title: 'role, scope and condition', as: 'ops', line: 'GET /admin', status: 0 },
  {
    title: 'a condition that cannot be told',
    as: 'nobody',
    line: 'GET /conditional',
    status: 403,
    rule: 'route:conditional/condition-1',
    says: /Level 4/,
  },
  { title: 'another tenant', as: 'own', line: 'GET /big', status: 403, rule: 'route:big/tenants' },
  { title: 'the tenant that it is for', as: 'paid', line: 'GET /big', status: 0 },
  {
    title: "somebody else's domain",
    as: 'own',
    line: 'GET /web',
    fields: ['Host: big.test'],
    status: 403,
    rule: 'tenant/domain',
  },
  { title: 'its own domain', as: 'paid', line: 'GET /web', fields: ['Host: big.test'], status: 0 },
];

describe('what a caller may do', () => {
  for (const { title, as: who, line = CHAT, body, fields = [], status, rule, says } of cases) {
    test(title, () => {
      const { send, notices } = makeWorker(settings);
      const { exchange, forwarded, answer } = send(line, [...as(who), ...fields], body);
      assert.deepEqual(notices, []);
      if (status === 0) {
        assert.equal(answer?.body, undefined);
        assert.ok(forwarded);
        return;
      }
      assert.equal(forwarded, undefined);
      assert.equal(answer?.status, status, answer?.body);
      if (rule !== undefined) assert.equal(exchange.error?.rule, rule);
      if (says !== undefined) assert.match(answer?.body ?? '', says);
    });
  }
});

test('missing scopes are named in the challenge', () => {
  const { send } = makeWorker(settings);
  const { answer } = send('GET /admin', as('nobody'));
  assert.match(answer?.fields ?? '', /WWW-Authenticate: Bearer error="insufficient_scope".*scope="admin"/);
});

test('a condition that cannot be told is counted', () => {
  const { send, faults } = makeWorker(settings);
  send('GET /conditional', as('nobody'));
  assert.deepEqual(faults, ['condition_error']);
});

test('a request that sets no bound gets that of the plan, and a larger one is clamped where the plan says so', () => {
  const { send } = makeWorker(settings);
  const body = (who: string, more: object) => JSON.parse(String(send(CHAT, as(who), chat(more)).forwarded?.body));
  assert.equal(body('free', {}).max_completion_tokens, 100);
  assert.equal(body('paid', { max_tokens: 5000 }).max_tokens, 1000);
  assert.equal(body('paid', { max_completion_tokens: 5000, max_tokens: 3 }).max_completion_tokens, 1000);
  assert.equal(body('paid', { max_tokens: 7 }).max_tokens, 7);
  // What servers of this API do not read is no bound.
  assert.equal(body('paid', { max_output_tokens: 7 }).max_completion_tokens, 1000);
});

test('a condition on the path sees it as the most lenient server reads it', () => {
  const guarded: typeof settings = {
    ...settings,
    routes: [
      {
        name: 'files',
        match: { path: '/files/*' },
        upstream: 'web',
        authorize: { conditions: [{ if: '!request.path.startsWith("/files/private")' }] },
      },
    ],
  };
  for (const [path, status] of [
    ['/files/public', undefined],
    ['/files/public%20ones', undefined],
    ['/files/private/x', 403],
    ['/files/%70rivate/x', 403],
    ['/files//private/x', 403],
    ['/files%2Fprivate/x', undefined],
    ['/files/%2Fprivate/x', 403],
    ['/files/%2570rivate/x', 403],
  ] as const) {
    const { forwarded, answer } = makeWorker(guarded).send(`GET ${path}`, []);
    if (path.startsWith('/files%2F')) assert.equal(forwarded, undefined, path);
    else assert.equal(answer?.status, status, path);
  }
});
