/** The real clients against the simulator. They are no dependency of ours but peers of the tests (test/peers.ts). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { importPeer, needs } from '../../test/peers.ts';
import { type RunningSimulator, startSimulator } from './simulate.ts';

type Call = (...input: unknown[]) => Peer;

/** As much of a client as is called here; what comes back is looked at by `assert`. */
interface Peer extends AsyncIterable<Peer> {
  chat: Peer;
  completions: Peer;
  responses: Peer;
  embeddings: Peer;
  models: Peer;
  messages: Peer;
  create: Call;
  stream: Call;
  parse: Call;
  list: Call;
  retrieve: Call;
  countTokens: Call;
  finalChatCompletion: Call;
  finalResponse: Call;
  finalMessage: Call;
}

async function load(name: string, options: object): Promise<Peer> {
  const { default: Client } = await importPeer<{ default: new (options: object) => Peer }>(name);
  return new Client(options);
}

let simulator: RunningSimulator;
let openai: Peer;
let anthropic: Peer;
const { skip } = needs({ peers: ['openai', '@anthropic-ai/sdk'] });

before(async () => {
  if (skip) return;
  simulator = await startSimulator({ models: ['m'], tokens: 10 });
  const options = { apiKey: 'key', maxRetries: 0 };
  openai = await load('openai', { ...options, baseURL: `${simulator.url}/v1` });
  anthropic = await load('@anthropic-ai/sdk', { ...options, baseURL: simulator.url });
});
after(() => simulator?.close());

const parameters = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 1, maximum: 7 } },
  required: ['city', 'days'],
  additionalProperties: false,
};
const messages = [{ role: 'user', content: 'Hello, use the tool if you have one.' }];

/** Looks into an answer without types. */
const plain = (value: unknown): Record<string, never> => JSON.parse(JSON.stringify(value)) as Record<string, never>;

test('openai: chat, streamed chat, tools and JSON', { skip }, async () => {
  const chat = openai.chat.completions;
  const whole = plain(await chat.create({ model: 'm', messages }));
  const stream = chat.stream({ model: 'm', messages, stream_options: { include_usage: true } });
  const final = plain(await stream.finalChatCompletion());
  assert.deepEqual(pick(final, 'choices.0.message.content'), pick(whole, 'choices.0.message.content'));
  assert.deepEqual(pick(final, 'usage'), pick(whole, 'usage'));
  const tools = [{ type: 'function', function: { name: 'weather', parameters } }];
  const called = plain(await chat.stream({ model: 'm', messages, tools }).finalChatCompletion());
  assert.equal(pick(called, 'choices.0.finish_reason'), 'tool_calls');
  const input = JSON.parse(String(pick(called, 'choices.0.message.tool_calls.0.function.arguments')));
  assert.equal(typeof input.city, 'string');
  assert.ok(input.days >= 1 && input.days <= 7);
  const response_format = { type: 'json_schema', json_schema: { name: 'w', strict: true, schema: parameters } };
  const parsed = plain(await chat.parse({ model: 'm', messages, response_format }));
  assert.equal(typeof pick(parsed, 'choices.0.message.parsed.city'), 'string');
});

test('openai: completions, embeddings, models', { skip }, async () => {
  const stream = await openai.completions.create({ model: 'm', prompt: 'Hello', stream: true });
  let text = '';
  for await (const part of stream) text += pick(plain(part), 'choices.0.text');
  const whole = plain(await openai.completions.create({ model: 'm', prompt: 'Hello' }));
  assert.equal(text, pick(whole, 'choices.0.text'));
  // The client asks for base64 by itself and decodes it.
  const ask = { model: 'm', input: ['a', 'b'], dimensions: 8 };
  const packed = plain(await openai.embeddings.create(ask));
  const floats = plain(await openai.embeddings.create({ ...ask, encoding_format: 'float' }));
  assert.deepEqual(pick(packed, 'data.1.embedding.length'), 8);
  for (let i = 0; i < 8; i++) {
    const [a, b] = [pick(packed, `data.0.embedding.${i}`), pick(floats, `data.0.embedding.${i}`)];
    assert.ok(Math.abs(Number(a) - Number(b)) < 1e-6);
  }
  assert.equal(pick(plain(await openai.models.list()), 'data.0.id'), 'm');
  assert.equal(pick(plain(await openai.models.retrieve('m')), 'id'), 'm');
});

test('openai: responses, whole and streamed, with a tool', { skip }, async () => {
  const responses = openai.responses;
  const whole = plain(await responses.create({ model: 'm', input: 'Hello' }));
  const stream = responses.stream({ model: 'm', input: 'Hello' });
  const final = plain(await stream.finalResponse());
  assert.ok(String(pick(whole, 'output_text')).length > 0);
  assert.equal(pick(final, 'output_text'), pick(whole, 'output_text'));
  assert.deepEqual(pick(final, 'usage'), pick(whole, 'usage'));
  const tools = [{ type: 'function', name: 'weather', parameters, strict: true }];
  const asked = responses.stream({ model: 'm', input: 'Hello', tools, tool_choice: 'required' });
  const called = plain(await asked.finalResponse());
  assert.equal(pick(called, 'output.0.type'), 'function_call');
  assert.equal(typeof JSON.parse(String(pick(called, 'output.0.arguments'))).city, 'string');
  const cut = plain(await responses.create({ model: 'm', input: 'Hello', max_output_tokens: 3 }));
  assert.equal(pick(cut, 'status'), 'incomplete');
});

test('openai: errors and retries', { skip }, async () => {
  const chat = openai.chat.completions;
  await assert.rejects(
    async () => chat.create({ model: 'other', messages }),
    (error: Record<string, unknown>) => error.status === 404 && error.code === 'model_not_found' && !!error.requestID,
  );
  const options = { headers: { 'x-simulate': 'status=429' } };
  await assert.rejects(async () => chat.create({ model: 'm', messages }, options), { name: 'Error', status: 429 });
  const broken = { headers: { 'x-simulate': 'error-mid-stream=2' } };
  const stream = await chat.create({ model: 'm', messages, stream: true }, broken);
  await assert.rejects(async () => {
    for await (const part of stream) assert.ok(part);
  }, /error while processing/);
  const reset = { headers: { 'x-simulate': 'reset-mid-stream=2' } };
  const cut = await chat.create({ model: 'm', messages, stream: true }, reset);
  await assert.rejects(async () => {
    for await (const part of cut) assert.ok(part);
  });
  simulator.fail('2x:reset-before-head');
  assert.ok(await chat.create({ model: 'm', messages }, { maxRetries: 2 }));
  simulator.fail();
});

test('anthropic: messages, streamed, with a tool, and counted', { skip }, async () => {
  const api = anthropic.messages;
  const ask = { model: 'm', max_tokens: 50, messages };
  const whole = plain(await api.create(ask));
  const final = plain(await api.stream(ask).finalMessage());
  assert.deepEqual(final.content, whole.content);
  assert.deepEqual(pick(final, 'usage.output_tokens'), pick(whole, 'usage.output_tokens'));
  assert.equal(final.stop_reason, 'end_turn');
  const tools = [{ name: 'weather', input_schema: parameters }];
  for (const tool_choice of [{ type: 'any' }, { type: 'tool', name: 'weather' }]) {
    const called = plain(await api.stream({ ...ask, tools, tool_choice }).finalMessage());
    assert.equal(called.stop_reason, 'tool_use');
    assert.equal(typeof pick(called, 'content.0.input.city'), 'string');
    assert.deepEqual(
      pick(plain(await api.create({ ...ask, tools, tool_choice })), 'content.0.input'),
      pick(called, 'content.0.input'),
    );
  }
  const counted = plain(await api.countTokens({ model: 'm', messages }));
  assert.equal(counted.input_tokens, pick(whole, 'usage.input_tokens'));
  assert.equal(pick(plain(await anthropic.models.list()), 'data.0.id'), 'm');
});

test('anthropic: errors', { skip }, async () => {
  const api = anthropic.messages;
  const ask = { model: 'm', max_tokens: 50, messages };
  await assert.rejects(
    async () => api.create({ ...ask, model: 'other' }),
    (error: Record<string, unknown>) => error.status === 404 && /not_found_error/.test(String(error.message)),
  );
  const overloaded = { headers: { 'x-simulate': 'status=529' } };
  await assert.rejects(async () => api.create(ask, overloaded), { status: 529 });
  const stream = api.stream(ask, { headers: { 'x-simulate': 'error-mid-stream=1' } });
  await assert.rejects(async () => stream.finalMessage(), /Overloaded/);
});

function pick(value: unknown, path: string): unknown {
  return path.split('.').reduce((at: unknown, key) => (at as Record<string, unknown> | undefined)?.[key], value);
}
