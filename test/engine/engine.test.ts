/** A real engine, asked by the real OpenAI client: directly, so that the test bed is known to be sound, and through Gatehouse. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openaiClient, readChat } from '../clients.ts';
import { startGateway } from '../gateway.ts';
import { needs } from '../peers.ts';
import { continuation } from './bigram.ts';
import { type Engine, startEngine } from './engine.ts';

const user = (content: string) => [{ role: 'user', content }];

describe('a real engine', needs({ peers: ['node-llama-cpp', 'openai'] }), () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(() => engine.close());

  /** Where the client connects; `stop` is called when the test ends. */
  type Way = () => Promise<{ url: string; stop(): Promise<void> }>;
  const ways: Record<string, Way> = {
    directly: async () => ({ url: engine.url, stop: async () => {} }),
    'through Gatehouse': () =>
      startGateway({
        listeners: { public: { address: '127.0.0.1:0' } },
        upstreams: { engine: { protocol: 'openai', endpoints: [{ url: engine.url }] } },
        models: { bigram: { versions: [{ name: 'stable', upstream: 'engine' }] } },
        routes: [{ name: 'inference', match: { path: '/v1/*' }, models: ['bigram'] }],
      }),
  };

  for (const [name, way] of Object.entries(ways)) {
    test(`${name}: a stream, word by word`, async (t) => {
      const { url, stop } = await way();
      t.after(stop);
      const client = await openaiClient(url);
      const words = continuation('travellers');
      const { pieces, finish, usage } = await readChat(
        await client.chat.completions.create({ model: 'bigram', messages: user('travellers'), stream: true }),
      );
      assert.deepEqual(
        pieces.map((piece) => piece.trim()),
        words,
      );
      assert.equal(finish, 'stop');
      assert.equal(usage, undefined, 'usage was not asked for');
    });

    test(`${name}: a stream with usage`, async (t) => {
      const { url, stop } = await way();
      t.after(stop);
      const client = await openaiClient(url);
      const { pieces, finish, usage } = await readChat(
        await client.chat.completions.create({
          model: 'bigram',
          messages: user('the gate'),
          max_tokens: 5,
          stream: true,
          stream_options: { include_usage: true },
        }),
      );
      assert.equal(pieces.join('').trim(), 'opens at dawn and travellers');
      assert.equal(finish, 'length');
      assert.deepEqual(usage, { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 });
    });

    test(`${name}: a whole answer`, async (t) => {
      const { url, stop } = await way();
      t.after(stop);
      const client = await openaiClient(url);
      const answer = await client.chat.completions.create({ model: 'bigram', messages: user('always find warm') });
      assert.equal(answer.choices[0]?.message.content?.trim(), 'bread waiting inside');
      assert.deepEqual(answer.usage, { prompt_tokens: 4, completion_tokens: 3, total_tokens: 7 });
    });

    test(`${name}: the models, and one that is not there`, async (t) => {
      const { url, stop } = await way();
      t.after(stop);
      const client = await openaiClient(url);
      const models = await client.models.list();
      assert.deepEqual(
        models.data.map(({ id }) => id),
        ['bigram'],
      );
      await assert.rejects(client.chat.completions.create({ model: 'other', messages: user('hello') }), {
        status: 404,
        code: 'model_not_found',
        param: 'model',
      });
    });
  }

  test('four at once and more wait their turn', async () => {
    const client = await openaiClient(engine.url);
    const answers = await Promise.all(
      Array.from({ length: 9 }, () => client.chat.completions.create({ model: 'bigram', messages: user('lamps') })),
    );
    for (const answer of answers) {
      assert.equal(answer.choices[0]?.message.content?.trim(), continuation('lamps').join(' '));
    }
  });
});
