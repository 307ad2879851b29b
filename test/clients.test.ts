/** Real clients through Gatehouse: what works against the server directly works the same through the gateway. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { anthropicClient, openaiClient, readChat } from './clients.ts';
import { type Gateway, startGateway, startSimulator } from './gateway.ts';
import { importPeer, needs } from './peers.ts';
import type { Program } from './program.ts';

interface Mock {
  url: string;
  onMessage(pattern: string, answer: object): Mock;
  start(): Promise<unknown>;
  stop(): Promise<unknown>;
}

const user = (content: string) => [{ role: 'user', content }];
const peers = ['openai', '@anthropic-ai/sdk', '@copilotkit/aimock', 'ai', '@ai-sdk/openai-compatible'];

describe('real clients', needs({ peers }), () => {
  let simulator: Program & { url: string };
  let mock: Mock;
  let gateway: Gateway;
  before(async () => {
    simulator = await startSimulator('--tokens', '12');
    const { LLMock } = await importPeer<{ LLMock: new (options: object) => Mock }>('@copilotkit/aimock');
    mock = new LLMock({ port: 0, logLevel: 'silent' });
    mock.onMessage('hello', { content: 'Hi there, how are you today?' });
    mock.onMessage('weather', { toolCalls: [{ name: 'weather', arguments: '{"city":"Zürich"}' }] });
    await mock.start();
    gateway = await startGateway({
      listeners: { public: { address: '127.0.0.1:0' } },
      upstreams: {
        simulator: { protocol: 'openai', endpoints: [{ url: simulator.url }] },
        messages: { protocol: 'anthropic', endpoints: [{ url: simulator.url }] },
        mock: { protocol: 'openai', endpoints: [{ url: mock.url }] },
      },
      models: {
        simulated: { versions: [{ name: 'stable', upstream: 'simulator' }] },
        renamed: { versions: [{ name: 'stable', upstream: 'simulator', model: 'its-own-name' }] },
        'messages-model': { versions: [{ name: 'stable', upstream: 'messages' }] },
        'mock-model': { versions: [{ name: 'stable', upstream: 'mock' }] },
      },
      routes: [{ name: 'inference', match: { path: '/v1/*' }, models: ['*'] }],
    });
  });
  after(async () => {
    await gateway?.stop();
    await mock?.stop();
    await simulator?.stop();
  });

  test('openai: chat, whole and streamed, say the same through and past the gateway', async () => {
    const body = { model: 'simulated', messages: user('the same words'), seed: 7 };
    const [through, past] = await Promise.all([openaiClient(gateway.url), openaiClient(simulator.url)]);
    const whole = await through.chat.completions.create(body);
    assert.ok(whole.choices[0]?.message.content);
    assert.deepEqual(whole.usage, (await past.chat.completions.create(body)).usage);
    const streamed = await readChat(await through.chat.completions.create({ ...body, stream: true }));
    assert.ok(streamed.pieces.length > 1);
    assert.equal(streamed.usage, undefined, 'usage was not asked for, so the client does not see it');
    const asked = await readChat(
      await through.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } }),
    );
    assert.deepEqual(asked.usage?.completion_tokens, whole.usage?.completion_tokens);
  });

  test('openai: completions, responses, embeddings', async () => {
    const client = await openaiClient(gateway.url);
    const completion = await client.completions.create({ model: 'simulated', prompt: 'once upon a time' });
    assert.ok(completion.choices[0]?.text);
    const response = await client.responses.create({ model: 'simulated', input: 'hello' });
    assert.equal(response.status, 'completed');
    assert.ok(response.output_text);
    const types: string[] = [];
    for await (const { type } of await client.responses.create({ model: 'simulated', input: 'hello', stream: true })) {
      types.push(type);
    }
    assert.equal(types[0], 'response.created');
    assert.equal(types.at(-1), 'response.completed');
    const { data } = await client.embeddings.create({ model: 'simulated', input: ['a', 'b'] });
    assert.equal(data.length, 2);
  });

  test('openai: the configured models, and one that is not', async () => {
    const client = await openaiClient(gateway.url);
    const { data } = await client.models.list();
    assert.deepEqual(data.map(({ id }) => id).sort(), ['messages-model', 'mock-model', 'renamed', 'simulated']);
    await assert.rejects(client.chat.completions.create({ model: 'none', messages: user('hello') }), {
      status: 404,
      code: 'model_not_found',
      param: 'model',
    });
  });

  test('openai: a model under another name upstream', async () => {
    const client = await openaiClient(gateway.url);
    const answer = await client.chat.completions.create({ model: 'renamed', messages: user('hello') });
    assert.ok(answer.choices[0]?.message.content);
  });

  test('openai: another server, its words and tool calls untouched', async () => {
    const client = await openaiClient(gateway.url);
    const { pieces, finish } = await readChat(
      await client.chat.completions.create({ model: 'mock-model', messages: user('hello'), stream: true }),
    );
    assert.equal(pieces.join(''), 'Hi there, how are you today?');
    assert.equal(finish, 'stop');
    const called = await client.chat.completions.create({ model: 'mock-model', messages: user('weather') });
    const message = called.choices[0]?.message as { tool_calls?: { function: { arguments: string } }[] };
    assert.deepEqual(JSON.parse(message.tool_calls?.[0]?.function.arguments ?? ''), { city: 'Zürich' });
  });

  test('anthropic: messages, whole and streamed, and its own errors', async () => {
    const client = await anthropicClient(gateway.url);
    const body = { model: 'messages-model', max_tokens: 50, messages: user('hello') };
    const whole = await client.messages.create(body);
    assert.equal(whole.content[0]?.type, 'text');
    assert.ok(whole.usage.output_tokens > 0);
    const types: string[] = [];
    for await (const { type } of await client.messages.create({ ...body, stream: true })) types.push(type);
    assert.equal(types[0], 'message_start');
    assert.equal(types.at(-1), 'message_stop');
    await assert.rejects(client.messages.create({ ...body, model: 'none' }), (error: unknown) => {
      const { status, error: shape } = error as { status: number; error: { type: string; error: { type: string } } };
      assert.equal(status, 404);
      assert.equal(shape.type, 'error');
      assert.equal(shape.error.type, 'not_found_error');
      return true;
    });
  });

  test('ai: a stream by another client library', async () => {
    const { streamText } = await importPeer<{
      streamText(options: object): {
        textStream: AsyncIterable<string>;
        totalUsage: Promise<{ outputTokens?: number }>;
      };
    }>('ai');
    const { createOpenAICompatible } = await importPeer<{
      createOpenAICompatible(options: object): (model: string) => object;
    }>('@ai-sdk/openai-compatible');
    const provider = createOpenAICompatible({ name: 'gatehouse', baseURL: `${gateway.url}/v1`, includeUsage: true });
    const { textStream, totalUsage } = streamText({ model: provider('simulated'), prompt: 'hello', maxRetries: 0 });
    let text = '';
    for await (const piece of textStream) text += piece;
    assert.ok(text.length > 0);
    assert.ok(((await totalUsage).outputTokens ?? 0) > 0);
  });

  test('what they did is seen: access log and metrics', async () => {
    const client = await openaiClient(gateway.url);
    const series = 'gatehouse_tokens_total{model="simulated"}';
    const before = await gateway.metricReaches(series, 1);
    const answer = await client.chat.completions.create({ model: 'simulated', messages: user('count me') });
    await gateway.waitFor(/"gen_ai\.request\.model":"simulated"/);
    const lines = gateway.accessLog().filter((line) => line['gen_ai.request.model'] === 'simulated');
    assert.ok(lines.every((line) => line['http.response.status_code'] === 200 && line.route === 'inference'));
    await gateway.metricReaches(series, before + (answer.usage?.total_tokens ?? 0));
  });
});
