import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Json } from './json.ts';
import { type RunningSimulator, startSimulator } from './simulate.ts';
import { countTokens } from './token.ts';

let simulator: RunningSimulator;
before(async () => {
  simulator = await startSimulator({ models: ['m', 'org/model'], tokens: 12 });
});
after(() => simulator.close());

const CHAT = { model: 'm', messages: [{ role: 'user', content: 'Say something.' }] };
const CLAUDE = { ...CHAT, max_tokens: 100 };

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(simulator.url + path, { method: 'POST', body: text, headers });
}

async function json(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Json> {
  return (await (await post(path, body, headers)).json()) as Json;
}

/** Types and parsed data of a stream's events. */
async function events(path: string, body: object, headers: Record<string, string> = {}): Promise<[string, Json][]> {
  const text = await (await post(path, { ...body, stream: true }, headers)).text();
  return text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const type = /^event: (.*)$/m.exec(block)?.[1] ?? '';
      const data = /^data: (.*)$/m.exec(block)?.[1] ?? '';
      return [type, data === '[DONE]' ? { done: true } : (JSON.parse(data) as Json)];
    });
}

const pick = (value: unknown, path: string): unknown =>
  path.split('.').reduce((at: unknown, key) => (at as Record<string, unknown> | undefined)?.[key], value);

test('an answer is the same for the same prompt, and its usage can be counted by hand', async () => {
  const first = await json('/v1/chat/completions', CHAT);
  const second = await json('/v1/chat/completions', CHAT);
  const text = pick(first, 'choices.0.message.content') as string;
  assert.equal(text, pick(second, 'choices.0.message.content'));
  assert.notEqual(first.id, second.id);
  assert.equal(countTokens(text), 12);
  assert.equal(pick(first, 'usage.completion_tokens'), 12);
  assert.equal(pick(first, 'usage.prompt_tokens'), countTokens('Say something.') + 4);
  const other = await json('/v1/chat/completions', { ...CHAT, messages: [{ role: 'user', content: 'Else.' }] });
  assert.notEqual(text, pick(other, 'choices.0.message.content'));
});

test('a stream says what the whole answer says, in the shapes of the service', async () => {
  const whole = await json('/v1/chat/completions', { ...CHAT, n: 2 });
  const seen = await events('/v1/chat/completions', { ...CHAT, n: 2, stream_options: { include_usage: true } });
  for (const choice of [0, 1]) {
    const chunks = seen.map(([, data]) => data).filter((data) => pick(data, 'choices.0.index') === choice);
    assert.deepEqual(pick(chunks[0], 'choices.0.delta'), { role: 'assistant', content: '', refusal: null });
    const text = chunks.map((data) => pick(data, 'choices.0.delta.content') ?? '').join('');
    assert.equal(text, pick(whole, `choices.${choice}.message.content`));
    assert.equal(pick(chunks.at(-1), 'choices.0.finish_reason'), 'stop');
    for (const data of chunks) assert.equal(data.usage, null);
  }
  assert.deepEqual(seen.at(-2)?.[1].choices, []);
  assert.deepEqual(seen.at(-2)?.[1].usage, whole.usage);
  assert.deepEqual(seen.at(-1)?.[1], { done: true });
  const plain = await events('/v1/chat/completions', CHAT);
  for (const [, data] of plain) assert.ok(!('usage' in data), 'usage only for those who ask');
});

test('limits and stops', async () => {
  const cases: [path: string, body: object, reason: string, value: unknown][] = [
    ['/v1/chat/completions', { ...CHAT, max_tokens: 3 }, 'choices.0.finish_reason', 'length'],
    ['/v1/chat/completions', { ...CHAT, max_completion_tokens: 3 }, 'usage.completion_tokens', 3],
    ['/v1/chat/completions', { ...CHAT, stop: [' '] }, 'usage.completion_tokens', 1],
    ['/v1/chat/completions', { ...CHAT, stop: ' ' }, 'choices.0.finish_reason', 'stop'],
    ['/v1/completions', { model: 'm', prompt: 'x', max_tokens: 2 }, 'choices.0.finish_reason', 'length'],
    ['/v1/completions', { model: 'm', prompt: ['x', 'y'], n: 2 }, 'choices.length', 4],
    ['/v1/responses', { model: 'm', input: 'x', max_output_tokens: 2 }, 'status', 'incomplete'],
    ['/v1/responses', { model: 'm', input: 'x' }, 'usage.output_tokens', 12],
    ['/v1/completions', { model: 'm', prompt: 'x', max_tokens: 0 }, 'usage.completion_tokens', 0],
    ['/v1/messages', { ...CLAUDE, max_tokens: 2 }, 'stop_reason', 'max_tokens'],
    ['/v1/messages', { ...CLAUDE, stop_sequences: [' '] }, 'stop_sequence', ' '],
    ['/v1/messages', CLAUDE, 'usage.output_tokens', 12],
    ['/v1/messages/count_tokens', CHAT, 'input_tokens', 7],
    ['/v1/embeddings', { model: 'm', input: ['a', 'b'], dimensions: 3 }, 'data.1.embedding.length', 3],
    ['/v1/embeddings', { model: 'm', input: [1, 2, 3] }, 'usage.total_tokens', 3],
  ];
  for (const [path, body, at, value] of cases) {
    assert.deepEqual(pick(await json(path, body), at), value, `${path} ${JSON.stringify(body)} ${at}`);
  }
});

test('refusals have the shape of the protocol', async () => {
  const openai = 'error.type';
  const cases: [path: string, body: unknown, status: number, at: string, value: unknown][] = [
    ['/v1/chat/completions', '{', 400, openai, 'invalid_request_error'],
    ['/v1/chat/completions', '[]', 400, openai, 'invalid_request_error'],
    ['/v1/chat/completions', {}, 400, 'error.message', 'you must provide a model parameter'],
    ['/v1/chat/completions', { model: 'm' }, 400, 'error.param', 'messages'],
    ['/v1/chat/completions', { ...CHAT, model: 'other' }, 404, 'error.code', 'model_not_found'],
    ['/v1/completions', { model: 'm' }, 400, 'error.param', 'prompt'],
    ['/v1/responses', { model: 'm' }, 400, 'error.param', 'input'],
    ['/v1/embeddings', { model: 'm' }, 400, 'error.param', 'input'],
    ['/v1/messages', '{', 400, openai, 'invalid_request_error'],
    ['/v1/messages', CHAT, 400, 'error.message', 'max_tokens: Field required'],
    ['/v1/chat/completions', { ...CHAT, max_tokens: 0 }, 400, 'error.code', 'integer_below_min_value'],
    ['/v1/responses', { model: 'm', input: 'x', max_output_tokens: -1 }, 400, 'error.param', 'max_output_tokens'],
    ['/v1/completions', { model: 'm', prompt: 'x', max_tokens: -1 }, 400, 'error.param', 'max_tokens'],
    ['/v1/messages', { ...CLAUDE, model: 'other' }, 404, openai, 'not_found_error'],
    ['/v1/nothing', {}, 404, 'error.message', 'Invalid URL (POST /v1/nothing)'],
    ['/v1/messages/nothing', {}, 404, 'type', 'error'],
  ];
  for (const [path, body, status, at, value] of cases) {
    const response = await post(path, body);
    assert.equal(response.status, status, path);
    assert.equal(pick(await response.json(), at), value, path);
  }
  assert.equal((await fetch(`${simulator.url}/v1/chat/completions`)).status, 405);
});

test('models', async () => {
  const get = async (path: string, headers = {}): Promise<Json> =>
    (await (await fetch(simulator.url + path, { headers })).json()) as Json;
  assert.deepEqual(
    ((await get('/v1/models')).data as Json[]).map((card) => card.id),
    ['m', 'org/model'],
  );
  assert.equal((await get('/v1/models/org%2Fmodel')).object, 'model');
  assert.equal((await get('/v1/models/org/model')).id, 'org/model');
  assert.equal(pick(await get('/v1/models/other'), 'error.type'), 'invalid_request_error');
  assert.equal((await get('/v1/models', { 'anthropic-version': '2023-06-01' })).has_more, false);
});

test('echo shows what arrived, and the request id comes back', async () => {
  const headers = { 'x-simulate-echo': '1', 'X-Odd': 'a  b', 'x-request-id': 'abc' };
  const response = await post('/any/path?q=1', 'body', headers);
  assert.equal(response.headers.get('x-request-id'), 'abc');
  const echo = (await response.json()) as Json;
  assert.equal(echo.target, '/any/path?q=1');
  assert.equal(echo.bodySha256, createHash('sha256').update('body').digest('hex'));
  assert.ok((echo.headers as string[][]).some(([name, value]) => name === 'X-Odd' && value === 'a  b'));
});

test('health, faults for the next few and control', async () => {
  const set = (body: object): Promise<Response> => post('/simulate/fail', body);
  assert.equal((await fetch(`${simulator.url}/health`)).status, 200);
  await set({ health: 503, fail: ['2x:status=529,retry-after=7'] });
  assert.equal((await fetch(`${simulator.url}/health`)).status, 503);
  const first = await post('/v1/messages', CLAUDE);
  assert.equal(first.status, 529);
  assert.equal(first.headers.get('retry-after'), '7');
  assert.equal(pick(await first.json(), 'error.type'), 'overloaded_error');
  assert.equal((await post('/v1/chat/completions', CHAT)).status, 529);
  assert.equal((await post('/v1/chat/completions', CHAT)).status, 200);
  assert.equal((await set({ fail: 'nonsense' })).status, 400);
  assert.deepEqual(simulator.state().fail, ['2x:status=529,retry-after=7'], 'a wrong rule changes nothing');
  await fetch(`${simulator.url}/simulate/fail`, { method: 'DELETE' });
  assert.equal((await fetch(`${simulator.url}/health`)).status, 200);
});

test('usage that a cache and reasoning would cause', async () => {
  const headers = { 'x-simulate': 'cached=5,reasoning=9' };
  const openai = await json('/v1/chat/completions', CHAT, headers);
  assert.equal(pick(openai, 'usage.prompt_tokens_details.cached_tokens'), 5);
  assert.equal(pick(openai, 'usage.completion_tokens'), 21);
  const claude = await json('/v1/messages', CLAUDE, headers);
  assert.deepEqual([pick(claude, 'usage.input_tokens'), pick(claude, 'usage.cache_read_input_tokens')], [2, 5]);
});

test('tools: arguments satisfy the schema, streamed or not', async () => {
  const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } };
  const chat = { ...CHAT, tools: [{ type: 'function', function: { name: 'weather', parameters } }] };
  const whole = await json('/v1/chat/completions', { ...chat, tool_choice: 'required' });
  const call = pick(whole, 'choices.0.message.tool_calls.0.function') as { name: string; arguments: string };
  assert.equal(call.name, 'weather');
  assert.ok(Number.isInteger((JSON.parse(call.arguments) as Json).days));
  assert.equal(pick(whole, 'choices.0.finish_reason'), 'tool_calls');
  const seen = await events('/v1/chat/completions', {
    ...chat,
    tool_choice: { type: 'function', function: { name: 'weather' } },
  });
  const text = seen.map(([, data]) => pick(data, 'choices.0.delta.tool_calls.0.function.arguments') ?? '').join('');
  assert.equal(text, call.arguments);
  assert.equal(pick(await json('/v1/chat/completions', chat), 'choices.0.finish_reason'), 'stop');
});

test('anthropic and responses streams: order of events, numbers without gaps', async () => {
  const claude = (await events('/v1/messages', { ...CLAUDE, max_tokens: 2 })).map(([type]) => type);
  const delta = 'content_block_delta';
  const end = ['content_block_stop', 'message_delta', 'message_stop'];
  assert.deepEqual(claude, ['message_start', 'content_block_start', 'ping', delta, delta, ...end]);
  for (const body of [
    { model: 'm', input: 'x' },
    { model: 'm', input: 'x', tools: [{ type: 'function', name: 'f', parameters: {} }], tool_choice: 'required' },
  ]) {
    const seen = await events('/v1/responses', body);
    assert.deepEqual(
      seen.map(([, data]) => data.sequence_number),
      seen.map((_, index) => index),
    );
    for (const [type, data] of seen) assert.equal(type, data.type);
    assert.equal(seen.at(-1)?.[0], 'response.completed');
  }
});

test('a queue forms at the limit of concurrency, and a client that leaves it is not served', async () => {
  const small = await startSimulator({ models: ['m'], maxConcurrency: 1 });
  const ask = (fault: string, signal: AbortSignal): Promise<Response> =>
    fetch(`${small.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ ...CHAT, stream: true }),
      headers: { 'x-simulate': fault },
      signal,
    });
  const until = async (reached: () => boolean): Promise<void> => {
    while (!reached()) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const response = await ask('stall=2', first.signal);
  assert.equal(response.status, 200);
  const waits = ask('cached', second.signal).catch(() => 'left');
  await until(() => small.state().waiting === 1);
  const metrics = await (await fetch(`${small.url}/metrics`)).text();
  assert.match(metrics, /^vllm:num_requests_running\{engine="0",model_name="m"\} 1$/m);
  assert.match(metrics, /^vllm:num_requests_waiting\{engine="0",model_name="m"\} 1$/m);
  second.abort();
  assert.equal(await waits, 'left');
  await until(() => small.state().waiting === 0);
  first.abort();
  await until(() => small.state().cancelled === 2);
  assert.equal(small.state().open, 0);
  assert.equal(small.state().lastCancel?.tokens, 2);
  assert.equal(small.state().cancelledTokens, 2);
  await small.close();
});

test('bytes of any number, by length or in chunks', async () => {
  for (const [path, length] of [
    ['/simulate/bytes/200000', '200000'],
    ['/simulate/bytes/200000?chunked', null],
  ] as const) {
    const response = await fetch(simulator.url + path);
    assert.equal(response.headers.get('content-length'), length);
    assert.equal((await response.arrayBuffer()).byteLength, 200_000);
  }
});

test('pipelined requests are answered in order', async () => {
  const socket = connect(simulator.port, simulator.host);
  const body = JSON.stringify({ ...CHAT, stream: true });
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-simulate: rate=500\r\nContent-Length: ${body.length}\r\n`;
  socket.write(`${head}x-request-id: one\r\n\r\n${body}${head}x-request-id: two\r\nConnection: close\r\n\r\n${body}`);
  let text = '';
  for await (const part of socket) text += String(part);
  const ids = [...text.matchAll(/x-request-id: (\w+)/g)].map((match) => match[1]);
  assert.deepEqual(ids, ['one', 'two']);
  assert.equal(text.split('data: [DONE]').length, 3);
  assert.ok(text.endsWith('0\r\n\r\n'));
});

test('on a unix socket, with a fault that would be RST on TCP', async () => {
  const socketPath = join(tmpdir(), `gatehouse-simulate-${process.pid}.sock`);
  const hidden = await startSimulator({ socketPath });
  const ask = async (fault: string): Promise<string> => {
    const socket = connect(socketPath);
    socket.write(`GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-simulate: ${fault}\r\n\r\n`);
    let text = '';
    for await (const part of socket) text += String(part);
    return text;
  };
  assert.match(await ask('cached'), /^HTTP\/1\.1 200 /);
  assert.equal(await ask('reset-before-head'), '');
  await hidden.close();
});

test('100-continue is left out where the answer comes early', async () => {
  for (const [fault, first] of [
    ['cached', '100 Continue'],
    ['early,status=413', '413 Payload Too Large'],
  ] as const) {
    const socket = connect(simulator.port, simulator.host);
    socket.write(
      `POST /v1/messages HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nx-simulate: ${fault}\r\nContent-Length: 2\r\n\r\n`,
    );
    const head = await new Promise<string>((resolve) => socket.once('data', (part) => resolve(String(part))));
    assert.equal(head.slice(9, head.indexOf('\r\n')), first);
    socket.destroy();
  }
});
