/** Unmodified clients over a limit on tokens: they raise the error that their users know, and do not try in vain. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { anthropicClient, openaiClient } from '../clients.ts';
import { startGateway, startSimulator } from '../gateway.ts';
import { needs } from '../peers.ts';

const messages = [{ role: 'user', content: 'hello' }];

interface Limited extends Error {
  status: number;
  headers: Headers;
}

async function gatewayFor(t: TestContext, protocol: string) {
  const simulator = await startSimulator('--tokens', '5');
  t.after(() => simulator.stop());
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { sim: { protocol, endpoints: [{ url: simulator.url }] } },
    routes: [
      { name: 'ai', match: { path: '/v1/*' }, upstream: 'sim', limits: [{ key: 'resource', tokens: '200/min' }] },
    ],
  });
  t.after(() => gateway.stop());
  return gateway;
}

/** What a call fails with. */
async function failure(call: () => Promise<unknown>): Promise<Limited> {
  return (await call().then(
    () => assert.fail('passed'),
    (reason) => reason,
  )) as Limited;
}

describe('real clients over a limit on tokens', needs({ peers: ['openai', '@anthropic-ai/sdk'] }), () => {
  test('openai', async (t) => {
    const gateway = await gatewayFor(t, 'openai');
    const client = await openaiClient(gateway.url, { apiKey: 'x' });
    const ask = (max_tokens: number) => client.chat.completions.create({ model: 'm', max_tokens, messages });
    await ask(20);
    const error = await failure(() => ask(500));
    assert.deepEqual([error.constructor.name, error.status], ['RateLimitError', 429]);
    assert.match(
      error.message,
      /this request alone is over the limit of 200 tokens per minute \(ai\/resource-tokens\); ask for less/,
    );
    assert.equal(error.headers.get('x-should-retry'), 'false');
    assert.equal(error.headers.get('x-ratelimit-limit-tokens'), '200');
    assert.equal(await gateway.metricReaches('gatehouse_limit_exceeded_total{result="refused"}', 1), 1);
  });

  test('anthropic', async (t) => {
    const gateway = await gatewayFor(t, 'anthropic');
    const client = await anthropicClient(gateway.url, { apiKey: 'x' });
    const ask = (max_tokens: number) => client.messages.create({ model: 'm', max_tokens, messages });
    await ask(20);
    const error = await failure(() => ask(500));
    assert.deepEqual([error.constructor.name, error.status], ['RateLimitError', 429]);
    assert.equal(error.headers.get('x-should-retry'), 'false');
    assert.equal(error.headers.get('anthropic-ratelimit-tokens-limit'), '200');
    assert.equal(await gateway.metricReaches('gatehouse_limit_exceeded_total{result="refused"}', 1), 1);
  });

  test('a stream whose allowance runs out is an answer that has reached its length', async (t) => {
    const simulator = await startSimulator('--tokens', '200', '--rate', '100');
    t.after(() => simulator.stop());
    const limits = [{ key: 'header:x-test', outputTokens: '40/min', output: 40 }];
    const gateway = await startGateway({
      listeners: { public: { address: '127.0.0.1:0' } },
      upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
      routes: [{ name: 'ai', match: { path: '/v1/*' }, upstream: 'sim', limits }],
    });
    t.after(() => gateway.stop());
    const client = (test: string) => openaiClient(gateway.url, { defaultHeaders: { 'x-test': test } });
    const chat = await (await client('chat')).chat.completions.stream({ model: 'm', messages }).finalChatCompletion();
    assert.equal(chat.choices[0]?.finish_reason, 'length');
    assert.ok((chat.choices[0]?.message.content ?? '').length > 20);
    const response = await (await client('responses')).responses.stream({ model: 'm', input: 'hello' }).finalResponse();
    assert.deepEqual([response.status, response.incomplete_details?.reason], ['incomplete', 'max_output_tokens']);
    assert.ok(response.output_text.length > 20);
    const message = await (await anthropicClient(gateway.url, { defaultHeaders: { 'x-test': 'messages' } })).messages
      .stream({ model: 'm', messages, max_tokens: 30 })
      .finalMessage();
    assert.equal(message.stop_reason, 'max_tokens');
  });
});
