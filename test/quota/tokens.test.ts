/** Limits on tokens, on real sockets: what a server has generated is never more than what was allowed. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { endless } from './endless.fixture.ts';
import { gateTo } from './gate.fixture.ts';
import { until } from './money.fixture.ts';
import { serve } from './server.fixture.ts';

type Json = Record<string, unknown>;

async function gatewayFor(
  t: TestContext,
  url: string,
  limit: Json,
  protocol = 'openai',
  workers = 1,
): Promise<Gateway> {
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers,
    upstreams: { sim: { protocol, endpoints: [{ url }] } },
    routes: [{ name: 'ai', match: { path: '/v1/*' }, upstream: 'sim', limits: [{ key: 'resource', ...limit }] }],
  });
  t.after(() => gateway.stop());
  return gateway;
}

async function simulator(t: TestContext, ...args: string[]) {
  const started = await startSimulator('--model', 'm', ...args);
  t.after(() => started.stop());
  const count = async (name: string) => {
    const text = await (await fetch(`${started.url}/metrics`)).text();
    return Number(new RegExp(`^vllm:${name}_tokens_total(?:\\{.*\\})? (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  };
  return { url: started.url, generated: () => count('generation'), prompted: () => count('prompt') };
}

const ask = (gateway: Gateway, body: Json, path = '/v1/chat/completions') =>
  fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body }),
  });

describe('five parallel calls of 130 tokens under a limit of 100 a minute', () => {
  for (const stream of [false, true]) {
    for (const max of [undefined, 40, 130]) {
      test(`${stream ? 'streams' : 'answers'}, ${max === undefined ? 'unbounded' : `at most ${max}`}`, async (t) => {
        const sim = await simulator(t, '--tokens', '120', '--rate', '400');
        // Who passes is held there until the others have been refused.
        const gate = await gateTo(t, sim.url);
        const gateway = await gatewayFor(t, gate.url, { tokens: '100/min' }, 'openai', 4);
        let refused = 0;
        const calls = Array.from({ length: 5 }, async () => {
          const answer = await ask(gateway, { stream, ...(max && { max_tokens: max }) });
          if (answer.status !== 429) return answer;
          refused++;
          assert.equal(answer.headers.get('x-should-retry'), String(max !== 130));
          return answer;
        });
        await until('all are decided', async () => gate.waiting + refused === 5);
        const passed = gate.waiting;
        gate.open();
        const answers = await Promise.all(calls);
        const texts = await Promise.all(answers.map((answer) => answer.text()));
        assert.equal(passed, max === 130 ? 0 : 1, texts.join('\n'));
        assert.equal(answers.filter(({ status }) => status === 200).length, passed);
        assert.ok((await sim.generated()) + (await sim.prompted()) <= 100);
        if (stream && passed === 1) assert.match(texts.join(''), /"finish_reason":"length"[\s\S]*data: \[DONE\]/);
      });
    }
  }
});

describe('a stream whose server does not stop ends cleanly, and its server is told', () => {
  const cases: [string, Json, RegExp][] = [
    ['/v1/chat/completions', { max_tokens: 20 }, /"finish_reason":"length"\}\]\}\n\ndata: \[DONE\]\n\n$/],
    [
      '/v1/chat/completions',
      { max_tokens: 20, stream_options: { include_usage: true } },
      /"finish_reason":"length"\}\],"usage":null\}\n\ndata: .*"choices":\[\],"usage":\{.*"completion_tokens":20,.*\n\ndata: \[DONE\]\n\n$/,
    ],
    ['/v1/completions', { prompt: 'hi', max_tokens: 20 }, /"finish_reason":"length"\}\]\}\n\ndata: \[DONE\]\n\n$/],
    [
      '/v1/messages',
      { max_tokens: 20 },
      /event: content_block_stop\n.*"index":0\}\n\nevent: message_delta\n.*"stop_reason":"max_tokens".*"output_tokens":20\}\}\n\nevent: message_stop\n.*\n\n$/,
    ],
    [
      '/v1/responses',
      { input: 'hi', max_output_tokens: 20 },
      /event: response.output_item.done\n.*\n\nevent: response.incomplete\ndata: .*( so){20}".*"reason":"max_output_tokens".*"output_tokens":20,.*\n\n$/,
    ],
  ];
  for (const [path, body, wanted] of cases) {
    test(`${path} ${JSON.stringify(body)}`, async (t) => {
      // Whoever does not end it waits for ever.
      const server = await endless(t, 2, 60);
      const gateway = await gatewayFor(
        t,
        server.url,
        { tokens: '1000/min' },
        path === '/v1/messages' ? 'anthropic' : 'openai',
      );
      const text = await (await ask(gateway, { stream: true, ...body }, path)).text();
      assert.match(text, wanted);
      assert.equal(text.match(/ so"/g)?.length, path === '/v1/responses' ? 24 : 20);
      await until('its server is told', async () => server.open() === 0);
      // What it cost is counted: the prompt by estimate.
      assert.ok((await gateway.metricReaches('gatehouse_tokens_total{type="output"}', 20)) < 30);
    });
  }
});

test('an unbounded stream goes on while there is more to be had, and ends when there is not', async (t) => {
  const server = await endless(t, 1);
  const gateway = await gatewayFor(t, server.url, { tokens: '150/min', output: 20 });
  const text = await (await ask(gateway, { stream: true })).text();
  const pieces = text.match(/ so"/g)?.length ?? 0;
  // About ten are for the prompt, and the last step is of 16 at least.
  assert.ok(pieces > 150 - 16 - 16 && pieces < 150, String(pieces));
  assert.match(text, /"finish_reason":"length"\}\]\}\n\ndata: \[DONE\]\n\n$/);
  assert.equal((await ask(gateway, { max_tokens: 150 })).status, 429);
});

test('a client that leaves is charged for the prompt and for what was generated', async (t) => {
  const server = await endless(t, 2, 20);
  const gateway = await gatewayFor(t, server.url, { tokens: '1000/min' });
  const answer = await ask(gateway, { stream: true, max_tokens: 500 });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  assert.ok(Number(answer.headers.get('x-ratelimit-remaining-tokens')) < 500);
  let seen = '';
  while ((seen.match(/ so"/g)?.length ?? 0) < 10) seen += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  const wasted = await gateway.metricReaches('gatehouse_wasted_tokens_total', 10);
  assert.ok(wasted <= 20, String(wasted));
  await until('its server is told', async () => server.open() === 0);
  // The rest came back.
  const next = await ask(gateway, { max_tokens: 700, stream: true });
  assert.equal(next.status, 200);
  await next.body?.cancel();
});

test('an answer that was paid for less than reserved gives the rest back at once', async (t) => {
  const sim = await simulator(t, '--tokens', '5');
  const gateway = await gatewayFor(t, sim.url, { tokens: '300/min' });
  for (let i = 0; i < 6; i++)
    assert.equal(((await (await ask(gateway, { max_tokens: 200 })).json()) as Json).object, 'chat.completion');
});

test('a server that fails before it answers costs nothing', async (t) => {
  const sim = await simulator(t, '--fail', 'status=500');
  const gateway = await gatewayFor(t, sim.url, { tokens: '300/min' });
  for (let i = 0; i < 5; i++) assert.equal((await ask(gateway, { max_tokens: 200 })).status, 500);
});

test('an answer that is compressed against orders costs what was reserved for it', async (t) => {
  const packed = gzipSync('data: {"choices":[{"index":0,"delta":{"content":" so"}}]}\n\n'.repeat(50));
  const url = await serve(t, (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }).end(packed);
  });
  const gateway = await gatewayFor(t, url, { tokens: '500/min' });
  assert.equal((await (await ask(gateway, { stream: true, max_tokens: 300 })).text()).match(/ so"/g)?.length, 50);
  await gateway.metricReaches('gatehouse_tokens_total{type="output"}', 300);
  assert.equal((await ask(gateway, { stream: true, max_tokens: 300 })).status, 429);
});

test('what only counts tokens, or comes compressed', async (t) => {
  const sim = await simulator(t);
  const gateway = await gatewayFor(t, sim.url, { tokens: '100/min' }, 'anthropic');
  for (let i = 0; i < 5; i++)
    assert.equal((await ask(gateway, { system: 'word '.repeat(200) }, '/v1/messages/count_tokens')).status, 200);
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
  const zipped = await fetch(`${gateway.url}/v1/messages`, { method: 'POST', headers, body: 'x' });
  assert.equal(zipped.status, 415);
});
