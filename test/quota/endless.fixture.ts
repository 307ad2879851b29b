/** A server for streams that somebody else has to end. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

type Json = Record<string, unknown>;

/** A server that generates until nobody listens, whatever it was told, and reports no usage. */
export async function endless(
  t: TestContext,
  everyMs = 2,
): Promise<{ url: string; count: () => number; open: () => number }> {
  let generated = 0;
  let open = 0;
  const server: Server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    open++;
    const events = EVENTS[request.url ?? ''] as { begin: string[]; piece: string };
    for (const event of events.begin) response.write(`${event}\n\n`);
    const timer = setInterval(() => {
      generated++;
      response.write(`${events.piece}\n\n`);
    }, everyMs);
    response.on('close', () => {
      open--;
      clearInterval(timer);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, count: () => generated, open: () => open };
}

/** An event of a chat completion. */
const chunk = (delta: Json): string =>
  `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: null }] })}`;
const typed = (type: string, fields: Json) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}`;
const item = { id: 'msg_1', type: 'message', status: 'in_progress', role: 'assistant', content: [] };
const part = { type: 'output_text', text: '', annotations: [] };
const EVENTS: Record<string, { begin: string[]; piece: string }> = {
  '/v1/chat/completions': { begin: [chunk({ role: 'assistant', content: '' })], piece: chunk({ content: ' so' }) },
  '/v1/completions': {
    begin: [],
    piece: `data: ${JSON.stringify({ id: 'c2', object: 'text_completion', created: 1, model: 'm', choices: [{ index: 0, text: ' so' }] })}`,
  },
  '/v1/messages': {
    begin: [
      typed('message_start', {
        message: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          content: [],
          model: 'm',
          usage: { input_tokens: 9, output_tokens: 1 },
        },
      }),
      typed('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    ],
    piece: typed('content_block_delta', { index: 0, delta: { type: 'text_delta', text: ' so' } }),
  },
  '/v1/responses': {
    begin: [
      typed('response.created', {
        sequence_number: 0,
        response: { id: 'resp_1', object: 'response', status: 'in_progress', output: [] },
      }),
      typed('response.output_item.added', { sequence_number: 1, output_index: 0, item }),
      typed('response.content_part.added', {
        sequence_number: 2,
        item_id: 'msg_1',
        output_index: 0,
        content_index: 0,
        part,
      }),
    ],
    piece: typed('response.output_text.delta', {
      sequence_number: 3,
      item_id: 'msg_1',
      output_index: 0,
      content_index: 0,
      delta: ' so',
    }),
  },
};
