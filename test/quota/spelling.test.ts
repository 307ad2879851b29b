/** Paths that a server decodes, merges or folds, at limits on tokens, on real sockets. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Gateway, startGateway } from '../gateway.ts';
import { rawClient } from '../raw.ts';
import { serve } from './server.fixture.ts';

const OUTPUT = 900;

/** A server that answers whatever it takes for the operation, as generous as any; it tells what it was asked for. */
async function start(t: TestContext, route: object, more: object = {}): Promise<{ gateway: Gateway; seen: string[] }> {
  const seen: string[] = [];
  const usage = { prompt_tokens: 10, completion_tokens: OUTPUT, total_tokens: 10 + OUTPUT };
  const url = await serve(t, (request, response) => {
    seen.push(request.url ?? '');
    request.resume();
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ object: 'chat.completion', choices: [], usage }));
    });
  });
  const gateway = await startGateway({
    workers: 1,
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { up: { protocol: 'openai', endpoints: [{ url }] } },
    ...more,
    routes: [{ name: 'r', match: { path: '/v1/*' }, ...route }],
  });
  t.after(() => gateway.stop());
  return { gateway, seen };
}

async function post(gateway: Gateway, path: string, body: string, who: number) {
  const client = await rawClient(gateway.port);
  await client.send(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nX-Who: ${who}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const answer = await client.read();
  client.close();
  return answer;
}

const SPELLINGS = [
  '/v1/chat/completion%73',
  '/v1/%63hat/completions',
  '/v1//chat/completions',
  '/v1/chat/completions/',
  '/v1/chat/completions;x',
  '/v1/chat%2Fcompletions',
  '/v1/chat%5ccompletions',
  '/v1/Chat/Completions',
];

test('however the path is spelled, its tokens count, and it is sent on as it came', async (t) => {
  const limits = [{ name: 'l', key: 'header:x-who', tokens: '1000/min' }];
  const { gateway, seen } = await start(t, { upstream: 'up', limits });
  for (const [who, path] of SPELLINGS.entries()) {
    const body = '{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":900}';
    const first = await post(gateway, path, body, who);
    assert.equal(first.status, 200, `${path}: ${first.body}`);
    for (let i = 0; i < 3; i++) assert.equal((await post(gateway, path, body, who)).status, 429, path);
    assert.deepEqual(seen.splice(0), [path]);
    // A bound that only the server could read is refused as it is for the plain path.
    assert.equal((await post(gateway, path, body.replace('900', '"900"'), who)).status, 400, path);
  }
});

test('what a plan permits holds for every spelling of the path', async (t) => {
  const { gateway, seen } = await start(
    t,
    { upstream: 'up', access: { anyOf: ['apiKey'] } },
    {
      access: { keys: [{ name: 'k', key: 'a-key-0123456789abcdef', tenant: 'a' }] },
      plans: { small: { permissions: { models: ['cheap'] } } },
      tenants: { a: { plan: 'small' } },
    },
  );
  for (const path of ['/v1/chat/completions', ...SPELLINGS]) {
    const body = '{"model":"dear","messages":[]}';
    const client = await rawClient(gateway.port);
    await client.send(
      `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a-key-0123456789abcdef\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const answer = await client.read();
    client.close();
    assert.ok(answer.status === 403 || answer.status === 404, `${path}: ${answer.status} ${answer.body}`);
  }
  assert.deepEqual(seen, []);
});
