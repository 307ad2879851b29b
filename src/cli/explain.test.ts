import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limitsConfig } from '../policy/quota/config.ts';
import { modelConfig, routeConfig } from '../route/config.ts';
import { upstreamConfig } from '../upstream/config.ts';
import { explain } from './explain.ts';
import { explanationLines } from './explanation.ts';
import { parseRequest } from './request.ts';

const config = {
  upstreams: {
    deepseek: upstreamConfig.parse({
      protocol: 'openai',
      endpoints: [{ url: 'http://10.0.0.1:8000', weight: 2 }, { url: 'http://10.0.0.2:8000' }],
    }),
    next: upstreamConfig.parse({ balance: { policy: 'hash' }, endpoints: [{ url: 'http://10.0.0.3:8000' }] }),
    files: upstreamConfig.parse({ host: 'preserve', endpoints: [{ url: 'https://files.internal' }] }),
  },
  models: {
    'deepseek-chat': modelConfig.parse({
      versions: [
        { name: 'stable', upstream: 'deepseek', weight: 95 },
        { name: 'candidate', upstream: 'next', weight: 5, model: 'deepseek-v4' },
      ],
      sticky: 'key',
    }),
  },
  routes: [
    routeConfig.parse({
      name: 'gold',
      match: { host: 'api.example.com', path: '/v1/*', headers: { 'x-tier': 'gold' }, model: 'deepseek-*' },
      models: ['deepseek-chat'],
      rewrite: { path: '/api/v1/*', host: 'inner', requestHeaders: { set: { 'x-a': '1' }, remove: ['cookie'] } },
    }),
    routeConfig.parse({ name: 'inference', match: { host: 'api.example.com', path: '/v1/*' }, models: ['*'] }),
    routeConfig.parse({ name: 'tenant', match: { path: '/t/*' }, models: ['*'], rewrite: { path: '/*' } }),
    routeConfig.parse({ name: 'files', match: { path: '/files/*' }, upstream: 'files' }),
  ],
};

describe('an operation that is not known', () => {
  const limits = limitsConfig.parse([{ name: 'tokens', key: 'ip', tokens: '5/min' }]);
  const open = { ...routeConfig.parse({ name: 'open', match: { path: '/o/*' }, upstream: 'deepseek' }), limits };
  const limited = {
    ...config,
    routes: [
      { ...routeConfig.parse({ name: 'ai', upstream: 'deepseek' }), limits },
      { ...open, unknownOperations: 'allow' as const },
      routeConfig.parse({ name: 'files', match: { path: '/files/*' }, upstream: 'files' }),
    ],
  };
  const said = 'no operation that Gatehouse knows';
  const refused = `${said}: 403 unknown_operation, for ai/tokens could not count what it uses (unknownOperations)`;
  const cases: [request: string, more: object, hint: string | undefined][] = [
    ['POST /api/generate', {}, refused],
    ['GET /v1/realtime upgrade:websocket', {}, refused],
    ['POST /v1/chat/completions', {}, undefined],
    ['POST /v1/chat/completion%73', {}, undefined],
    ['GET /v1/files', {}, undefined],
    ['POST /o/x', {}, `${said}: it passes, and open/tokens does not count what it uses (unknownOperations)`],
    ['POST /files/x', {}, undefined],
    ['POST /files/x', { limits }, `${said}: it passes, and tokens does not count what it uses (unknownOperations)`],
  ];
  for (const [request, more, hint] of cases)
    test(`${request} ${JSON.stringify(more)}`, () =>
      assert.equal(explain({ ...limited, ...more }, request).hint, hint));
});

test('a request with a model, to the last line', () => {
  const told = explain(config, 'POST https://api.example.com/v1/chat/completions model=deepseek-chat x-tier:gold');
  assert.deepEqual(explanationLines(told), [
    'request: POST api.example.com/v1/chat/completions  model=deepseek-chat  x-tier: gold',
    'route gold wins: host api.example.com, prefix path /v1/*, 2 further conditions',
    'route inference (host api.example.com, prefix path /v1/*) loses: it has 0 further conditions, the winner 2',
    'route tenant (host any, prefix path /t/*) loses: path /v1/chat/completions does not match /t/*',
    'route files (host any, prefix path /files/*) loses: path /v1/chat/completions does not match /files/*',
    'target: /api/v1/chat/completions (was /v1/chat/completions)',
    'host: inner (by rewrite.host)',
    'request fields: remove cookie; set x-a: 1',
    'model deepseek-chat: sticky by key',
    '  version stable: 95%',
    '    upstream deepseek: openai, leastRequests',
    '      endpoint http://10.0.0.1:8000 (weight 2)',
    '      endpoint http://10.0.0.2:8000',
    '  version candidate: 5%, asked for as deepseek-v4',
    '    upstream next: http, hash on ip',
    '      endpoint http://10.0.0.3:8000',
  ]);
});

describe('what is said', () => {
  const cases: [string, RegExp][] = [
    ['POST api.example.com/v1/x x-tier:gold', /gold .* loses: model must be deepseek-\*, is not named/],
    ['POST api.example.com/v1/x x-tier:gold', /add model=NAME/],
    [
      'POST api.example.com/v1/x model=nope',
      /404 model_not_found: nope is not one of this route's models \(deepseek-chat\)/,
    ],
    ['https://api.example.com/v1/models', /answer: 200: Gatehouse answers itself with .*: deepseek-chat$/],
    ['https://api.example.com/v1/models/deepseek-chat', /answer: 200: .*deepseek-chat$/],
    ['/t/v1/models', /answer: 200: Gatehouse answers itself with .*: deepseek-chat$/],
    ['/t/v1/models/deepseek-chat?a=/b', /answer: 200: .*deepseek-chat$/],
    ['https://api.example.com/v1/models/nope', /answer: 404 model_not_found/],
    ['POST https://api.example.com/v1/chat/completions', /add model=NAME[\s\S]*answer: 400 invalid_body/],
    ['TRACE https://api.example.com/v1/models', /answer: 405 method_not_allowed/],
    ['http://h:81/files/a?b', /upstream files: http, leastRequests, host h:81\n {2}endpoint https:\/\/files\.internal/],
    ['/other', /no route matches[\s\S]*answer: 404 not_found/],
    ['/files/../v1', /refused \(400\)/],
    ['/files%2Fx', /may also be read as \/files\/x[\s\S]*answer: 400 bad_request/],
    ['h/files/%61', /is compared as \/files\/a/],
  ];
  for (const [request, expected] of cases) {
    test(request, () => assert.match(explanationLines(explain(config, request)).join('\n'), expected));
  }
});

describe('how a request may be written', () => {
  const want = 'POST h.example:81 /v1/x?y=1 m gold';
  const same = [
    'POST http://h.example:81/v1/x?y=1 model=m x-tier:gold',
    'POST h.example:81/v1/x?y=1 model=m "X-Tier: gold"',
    'h.example:81/v1/x?y=1 X-Tier: gold model: m',
    'model=m POST https://h.example:81/v1/x?y=1#part x-tier: gold',
    'POST /v1/x?y=1 host:h.example:81 model=m x-tier:gold',
    `curl -s -X POST 'http://h.example:81/v1/x?y=1' -H 'X-Tier: gold' -d '{"model":"m"}'`,
    `curl http://h.example:81/v1/x?y=1 \\\n  --header "x-tier: gold" \\\n  --json "{\\"model\\": \\"m\\"}"`,
    `curl -XPOST --url=http://u:p@h.example:81/v1/x?y=1 -Hx-tier:gold --data '{"model":"m"}' -m 5`,
  ];
  for (const text of same) {
    test(text, () => {
      const { head, model } = parseRequest(text);
      assert.equal([head.method, head.authority, head.target, model, head.get('x-tier')].join(' '), want);
      assert.equal(head.host, 'h.example');
    });
  }
  test('the rest', () => {
    assert.equal(parseRequest('http://H.example./x').head.host, 'h.example');
    assert.equal(parseRequest('http://h.example.:81/x').head.host, 'h.example');
    assert.equal(parseRequest('http://[::1]:81/x').head.host, '[::1]');
    assert.equal(parseRequest('h').head.target, '/');
    assert.equal(parseRequest('h?x').head.target, '/?x');
    assert.equal(parseRequest('h/ü').head.target, '/%C3%BC');
    assert.equal(parseRequest('h/').head.method, 'GET');
    assert.equal(parseRequest('OPTIONS *').head.path, '*');
    assert.equal(parseRequest('curl -I h').head.method, 'HEAD');
    assert.throws(() => parseRequest(''), /no URL; write it as/);
    assert.throws(() => parseRequest('GET /x what'), /"what" is neither/);
    assert.throws(() => parseRequest('ftp://h/x'), /expected http:\/\/ or https:\/\/, not ftp:\/\/; write it as/);
    assert.throws(() => parseRequest('curl -X "A B" h'), /"A B" is no method/);
  });
});
