/** Pages of other origins, as browsers ask for them: the preflight without a key, the call with one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway, startSimulator } from '../gateway.ts';

const PAGE = 'https://app.example.com';
const KEY = 'a-key-of-sixteen-characters';

test('a preflight passes without a key, answers may be read by the page, refusals as well', {
  timeout: 180_000,
}, async (t) => {
  const simulator = await startSimulator();
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    access: { keys: [{ name: 'alice', key: KEY }] },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    routes: [
      {
        name: 'pages',
        match: { path: '/v1/*', method: ['GET', 'POST'] },
        upstream: 'model',
        access: { anyOf: ['apiKey'] },
        cors: { origins: [PAGE] },
      },
      { name: 'others', match: { path: '/private/*' }, upstream: 'model', access: { anyOf: ['apiKey'] } },
    ],
  });
  t.after(async () => {
    await gateway.stop();
    await simulator.stop();
  });
  const ask = (method: string, path: string, headers: Record<string, string>) =>
    fetch(gateway.url + path, { method, headers: { origin: PAGE, ...headers } });
  const announce = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };

  const preflight = await ask('OPTIONS', '/v1/chat/completions', announce);
  assert.equal(preflight.status, 200);
  assert.equal(preflight.headers.get('access-control-allow-origin'), PAGE);
  assert.equal(preflight.headers.get('access-control-allow-headers'), 'authorization');
  assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /POST/);
  assert.equal(preflight.headers.get('access-control-max-age'), '600');

  const answer = await ask('GET', '/v1/models', { authorization: `Bearer ${KEY}` });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('access-control-allow-origin'), PAGE);
  assert.match(answer.headers.get('access-control-expose-headers') ?? '', /x-request-id/);
  assert.match(answer.headers.get('vary') ?? '', /Origin/);

  const refused = await ask('GET', '/v1/models', {});
  assert.equal(refused.status, 401);
  assert.equal(refused.headers.get('access-control-allow-origin'), PAGE);

  const foreign = await ask('OPTIONS', '/v1/models', { ...announce, origin: 'https://evil.org' });
  assert.equal(foreign.status, 403);
  assert.equal(foreign.headers.get('access-control-allow-origin'), null);
  const stranger = await ask('GET', '/v1/models', { origin: 'https://evil.org', authorization: `Bearer ${KEY}` });
  assert.equal(stranger.headers.get('access-control-allow-origin'), null);

  // Without `cors` a preflight is a request as any other; and so is what only looks like one.
  assert.equal((await ask('OPTIONS', '/private/x', announce)).status, 401);
  assert.notEqual((await ask('OPTIONS', '/v1/models', {})).status, 200);
});
