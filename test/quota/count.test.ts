/** Servers that report no usage, or zeros: what was used is counted by a tokenizer, to the token. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { countChatCompletionTokens } from 'gpt-tokenizer/model/gpt-4o';
import { tinyTokenizer } from '../../src/ai/tokenizer.fixture.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { ARGUMENTS, type Json, LONG, MESSAGES, OTHER, PLAYS, type Play, TEXT, THOUGHT, TOOL } from './count.fixture.ts';

const PROMPT = countChatCompletionTokens?.({ messages: MESSAGES as never }) as number;
const OUTPUT = [THOUGHT, TEXT, OTHER, 'book_train', ARGUMENTS].reduce((sum, one) => sum + countTokens(one), 3);
const WITH_TOOL = countChatCompletionTokens?.({ messages: MESSAGES as never, functions: [TOOL as never] }) as number;
const anthropic = { max_tokens: 1000, system: MESSAGES[0]?.content, messages: [MESSAGES[1]] };
const response = { instructions: MESSAGES[0]?.content, input: MESSAGES[1]?.content, messages: undefined };

describe('to the token', { timeout: 280_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tokenizer-'));
  const closes: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  let gateway: Gateway;

  async function server(play: Play): Promise<string> {
    const http = createServer((request, answer) => {
      const parts: Buffer[] = [];
      request.on('data', (one: Buffer) => parts.push(one));
      request.on('end', () => play(answer, JSON.parse(Buffer.concat(parts).toString()) as Json));
    });
    await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
    closes.push(() => http.close().closeAllConnections());
    return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  }

  before(async () => {
    const file = join(folder, 'tokenizer.json');
    writeFileSync(file, JSON.stringify(tinyTokenizer()));
    const upstreams: Json = {};
    const models: Json = {};
    for (const [name, play] of Object.entries(PLAYS)) {
      const protocol = name === 'messages' ? 'anthropic' : 'openai';
      upstreams[name] = { protocol, endpoints: [{ url: await server(play) }] };
      models[name] = { tokenizer: name === 'tiny' ? file : 'o200k_base', versions: [{ name: 'v', upstream: name }] };
    }
    const limits = [{ name: 'all', key: 'model', tokens: '10M/h', output: 1000 }];
    gateway = await startGateway({
      listeners: { public: { address: '127.0.0.1:0' } },
      log: { access: 'stdout' },
      upstreams,
      models,
      routes: [
        { name: 'ai', match: { path: '/v1/*' }, models: ['*'], limits },
        {
          name: 'small',
          match: { path: '/v1/completions' },
          models: ['*'],
          limits: [{ key: 'resource', tokens: '1000/20m', output: 100 }],
        },
      ],
    });
    closes.push(() => gateway.stop());
  });
  after(async () => {
    for (const close of closes.reverse()) await close();
  });

  const ask = (model: string, body: Json, path = '/v1/chat/completions', signal?: AbortSignal) =>
    fetch(`${gateway.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
      body: JSON.stringify({ model, messages: MESSAGES, ...body }),
      ...(signal && { signal }),
    });

  /** What the access log says about an answer. */
  async function logged(answer: Response): Promise<[unknown, unknown, unknown, unknown]> {
    const id = answer.headers.get('x-request-id');
    const find = () => gateway.accessLog().find(({ request_id }) => request_id === id);
    for (let i = 0; i < 3000 && find() === undefined; i++) await setTimeout(10);
    const line = find() ?? {};
    const of = (name: string) => line[`gen_ai.usage.${name}`];
    return [line['usage.source'], of('input_tokens'), of('output_tokens'), of('reasoning.output_tokens')];
  }

  const thought = countTokens(THOUGHT);
  const cases: [string, string, Json, string | undefined, unknown[]][] = [
    ['chat', 'chat', { n: 2 }, undefined, ['counted', PROMPT, OUTPUT, thought]],
    ['chat, a stream', 'chat', { n: 2, stream: true }, undefined, ['counted', PROMPT, OUTPUT, thought]],
    ['usage of zeros', 'zeros', { n: 2 }, undefined, ['counted', PROMPT, OUTPUT, thought]],
    ['usage of zeros in a stream', 'zeros', { n: 2, stream: true }, undefined, ['counted', PROMPT, OUTPUT, thought]],
    ['usage is believed', 'reported', {}, undefined, ['reported', 3, 4, undefined]],
    [
      'tools',
      'short',
      { tools: [{ type: 'function', function: TOOL }] },
      undefined,
      ['counted', WITH_TOOL, 1, undefined],
    ],
    ['messages', 'messages', anthropic, '/v1/messages', ['counted', PROMPT, OUTPUT, thought]],
    [
      'messages, a stream',
      'messages',
      { ...anthropic, stream: true },
      '/v1/messages',
      ['counted', PROMPT, OUTPUT, thought],
    ],
    ['responses', 'responses', response, '/v1/responses', ['counted', PROMPT, OUTPUT, thought]],
    [
      'responses, a stream',
      'responses',
      { ...response, stream: true },
      '/v1/responses',
      ['counted', PROMPT, OUTPUT, thought],
    ],
    [
      'completions',
      'text',
      { prompt: ['x y', [1, 2, 3]], messages: undefined },
      '/v1/completions',
      ['counted', countTokens('x y') + 3, countTokens('one two') + countTokens('three'), undefined],
    ],
    [
      'embeddings',
      'vectors',
      { input: ['hello there', TEXT], messages: undefined },
      '/v1/embeddings',
      ['counted', countTokens('hello there') + countTokens(TEXT), 0, undefined],
    ],
    // hello, a space, two bytes; ChatML: five around a message, three in front of the answer.
    [
      'a tokenizer.json',
      'tiny',
      { messages: [{ role: 'user', content: 'hello é' }] },
      undefined,
      ['counted', 4 + 5 + 3, 2, undefined],
    ],
  ];
  for (const [what, model, body, path, wanted] of cases) {
    test(what, async () => {
      const answer = await ask(model, body, path);
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      assert.deepEqual(await logged(answer), wanted);
    });
  }

  test('a client that leaves in mid-stream pays for the prompt and for what was generated', async () => {
    const leaving = new AbortController();
    const answer = await ask('open', { stream: true }, undefined, leaving.signal);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let seen = '';
    while (!seen.includes('t!"') && !seen.includes('"!"'))
      seen += decoder.decode((await reader.read()).value, { stream: true });
    leaving.abort();
    assert.deepEqual(await logged(answer), ['counted', PROMPT, countTokens(TEXT), undefined]);
  });

  for (const [streamed, times] of [
    [true, 800],
    [false, 2000],
  ] as const) {
    test(`output beyond what is kept counts as the part does${streamed ? ', in a stream' : ''}`, async () => {
      const answer = await ask('long', { stream: streamed, max_tokens: 1_000_000 });
      await answer.text();
      const [source, , output] = await logged(answer);
      const wanted = countTokens(LONG) * times;
      assert.equal(source, 'counted');
      assert.ok(Math.abs(Number(output) / wanted - 1) < 0.01, `${output} for ${wanted}`);
    });
  }

  test('limits and metrics have what was counted', async () => {
    assert.ok((await gateway.metricReaches('gatehouse_usage_source_total{source="counted"}', 12)) >= 12);
    assert.equal(await gateway.metric('gatehouse_tokens_total{model="vectors",type="output"}'), 0);
    // What is left after the same reservation differs by what the request before was charged.
    const left: number[] = [];
    for (let i = 0; i < 3; i++) {
      const answer = await ask('text', { prompt: ['x y', [1, 2, 3]], messages: undefined }, '/v1/completions');
      left.push(Number(answer.headers.get('x-ratelimit-remaining-tokens')));
      await logged(answer);
    }
    const wanted = countTokens('x y') + 3 + countTokens('one two') + countTokens('three');
    assert.equal((left[1] as number) - (left[2] as number), wanted, String(left));
  });
});
