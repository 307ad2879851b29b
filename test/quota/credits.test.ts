/** Streams whose money runs out: they end as their protocol ends an answer that has reached its length, never by a cut. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../gateway.ts';
import { endless } from './endless.fixture.ts';
import { until, usedOf } from './money.fixture.ts';
import { NOON } from './noon.ts';
import { serve } from './server.fixture.ts';

/** A token of output costs 0.0001, a request 0.001; input is free. */
const PRICES = { default: { input: '0', output: '100', perRequest: '0.001' } };
const costOf = (tokens: number) => tokens * 100_000 + 1_000_000;

async function gatewayFor(t: TestContext, protocol: string, limit: Record<string, unknown>, url?: string) {
  const server = await endless(t, 1);
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { sim: { protocol, endpoints: [{ url: url ?? server.url }] } },
    routes: [{ name: 'ai', match: { path: '/v1/*' }, upstream: 'sim' }],
    prices: PRICES,
    ...limit,
  });
  t.after(() => gateway.stop());
  const ask = async (path: string, more: Record<string, unknown> = {}) => {
    const answer = await fetch(`${gateway.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true, ...more }),
    });
    return { status: answer.status, text: await answer.text(), fields: answer.headers };
  };
  return { server, gateway, ask };
}

const CHAT =
  /"finish_reason":"length"\}\],"usage":null\}\n\ndata: .*"choices":\[\],"usage":\{.*\n\ndata: \[DONE\]\n\n$/;
const MESSAGES = /"stop_reason":"max_tokens".*"output_tokens":\d+.*\n\nevent: message_stop\ndata: .*\n\n$/;
const RESPONSES = /event: response.incomplete\ndata: .*"max_output_tokens".*\n\n$/;

const cases: [string, string, Record<string, unknown>, RegExp, (text: string) => number][] = [
  [
    '/v1/chat/completions',
    'openai',
    { stream_options: { include_usage: true } },
    CHAT,
    (text) => Number(/"completion_tokens":(\d+)/.exec(text)?.[1]),
  ],
  ['/v1/messages', 'anthropic', {}, MESSAGES, (text) => Number(/.*"output_tokens":(\d+)/s.exec(text)?.[1])],
  ['/v1/responses', 'openai', { input: 'hi' }, RESPONSES, (text) => Number(/.*"output_tokens":(\d+)/s.exec(text)?.[1])],
];

for (const [path, protocol, more, end, tokensOf] of cases) {
  test(`${path}: a stream without a bound goes on while there is money, and ends cleanly when it runs out`, async (t) => {
    // Enough for 599 tokens, which are asked for in steps of 64.
    const limits = [{ key: 'resource', credits: '0.0609/day', window: 'calendar', timeZone: NOON, output: 64 }];
    const { gateway, ask, server } = await gatewayFor(t, protocol, { limits });
    const { status, text } = await ask(path, more);
    assert.equal(status, 200);
    assert.match(text, end);
    const tokens = tokensOf(text);
    // The last step is of 16 tokens at least. However late it comes: so long the stream waits.
    assert.ok(tokens <= 599 && tokens > 599 - 16, `${tokens} tokens`);
    await until('its server is told', async () => server.open() === 0);
    const sums = async () =>
      (await (await fetch(`${gateway.adminUrl}/api/v1/usage?by=route`)).json()) as { sums: { cost: string }[] };
    await until('it is in the ledger', async () => (await sums()).sums.length === 1);
    assert.equal(Math.round(Number((await sums()).sums[0]?.cost) * 1e9), costOf(tokens));
    assert.equal((await ask(path, more)).status, 429);
  });
}

test('a stream waits for who is asked for more, and loses nothing', async (t) => {
  const limits = [{ key: 'resource', credits: '0.0609/day', window: 'calendar', timeZone: NOON, output: 64 }];
  const { gateway } = await gatewayFor(t, 'openai', { limits });
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true });
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body });
  const pieces = (text: string) => text.match(/ so"/g)?.length ?? 0;
  const decoder = new TextDecoder();
  let text = '';
  for await (const part of answer.body as ReadableStream<Uint8Array>) {
    // Nobody answers for a while.
    if (text === '') gateway.child.kill('SIGSTOP');
    text += decoder.decode(part, { stream: true });
    if (pieces(text) >= 64) gateway.child.kill('SIGCONT');
  }
  gateway.child.kill('SIGCONT');
  assert.match(text, /"finish_reason":"length"\}\]\}\n\ndata: \[DONE\]\n\n$/);
  assert.ok(pieces(text) <= 599 && pieces(text) > 599 - 16, `${pieces(text)} pieces`);
});

test('a budget ends a stream the same way, and says afterwards that there is none left', async (t) => {
  // 5,999 tokens, asked for in steps of 4,096.
  const budgets = [{ name: 'all', key: 'resource', credits: '0.6009/day', timeZone: NOON }];
  const { gateway, ask } = await gatewayFor(t, 'openai', { budgets });
  const { text } = await ask('/v1/chat/completions', { stream_options: { include_usage: true } });
  assert.match(text, CHAT);
  const tokens = Number(/"completion_tokens":(\d+)/.exec(text)?.[1]);
  assert.ok(tokens <= 5999 && tokens > 5999 - 16, `${tokens} tokens`);
  await until('all of it is counted', async () => (await usedOf(gateway, 'all')) === costOf(tokens));
  // A refusal is believed for a moment, also where what was under way then has ended meanwhile.
  await until('it is told that none is left', async () => {
    const { status, text: refusal, fields } = await ask('/v1/chat/completions');
    assert.equal(status, 429);
    assert.match(refusal, /insufficient_quota/);
    return fields.get('x-should-retry') === 'false';
  });
});

test('a stream without a bound gets what is left of a budget, and ends cleanly when that runs out', async (t) => {
  // 999 tokens, in the tightest of two.
  const budgets = [
    { name: 'all', key: 'resource', credits: '0.25/day', timeZone: NOON },
    { name: 'ai', key: 'route', credits: '0.1009/day', timeZone: NOON },
  ];
  const { gateway, ask } = await gatewayFor(t, 'openai', { budgets });
  const { status, text } = await ask('/v1/chat/completions', { stream_options: { include_usage: true } });
  assert.equal(status, 200, text);
  assert.match(text, CHAT);
  const tokens = Number(/"completion_tokens":(\d+)/.exec(text)?.[1]);
  assert.ok(tokens <= 999 && tokens > 999 - 16, `${tokens} tokens`);
  for (const name of ['all', 'ai'])
    await until('all of it is counted', async () => (await usedOf(gateway, name)) === costOf(tokens));
  // What is left now is of no use.
  const { status: refused, text: refusal } = await ask('/v1/chat/completions');
  assert.equal(refused, 429);
  assert.match(refusal, /budget ai is spent, or what is left is less .* smaller max_tokens/);
});

test('an answer that is no stream is bounded by what is left of a budget; who says how much he wants is refused where that is too much', async (t) => {
  const told: number[] = [];
  const play = async (request: IncomingMessage, response: ServerResponse) => {
    let text = '';
    for await (const piece of request) text += piece;
    const { max_tokens: most, max_completion_tokens: other } = JSON.parse(text) as Record<string, number>;
    const tokens = most ?? other ?? 0;
    told.push(tokens);
    const choices = [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'length' }];
    const usage = { prompt_tokens: 3, completion_tokens: tokens, total_tokens: 3 + tokens };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices, usage }));
  };
  const url = await serve(t, (request, response) => void play(request, response));
  const budgets = [{ name: 'all', key: 'resource', credits: '0.1009/day', timeZone: NOON }];
  const { gateway, ask } = await gatewayFor(t, 'openai', { budgets }, url);
  const much = await ask('/v1/chat/completions', { stream: false, max_tokens: 1200 });
  assert.equal(much.status, 429);
  assert.match(much.text, /smaller max_tokens/);
  const { status, text } = await ask('/v1/chat/completions', { stream: false });
  assert.equal(status, 200, text);
  assert.equal(told.length, 1);
  assert.ok((told[0] as number) <= 999 && (told[0] as number) > 990, `${told[0]} tokens`);
  await until('all of it is counted', async () => (await usedOf(gateway, 'all')) === costOf(told[0] as number));
});
