/** A server for streams that somebody else has to end. */
import type { TestContext } from 'node:test';
import { serve } from './server.fixture.ts';

type Json = Record<string, unknown>;

/**
 * A server that generates until nobody listens, whatever it was told, and reports no usage. After `most` pieces of a stream it only
 * waits for its end.
 */
export async function endless(
  t: TestContext,
  everyMs = 2,
  most = Number.POSITIVE_INFINITY,
): Promise<{ url: string; open: () => number }> {
  let open = 0;
  const url = await serve(t, (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    open++;
    const events = EVENTS[request.url ?? ''] as { begin: string[]; piece: string };
    for (const event of events.begin) response.write(`${event}\n\n`);
    let generated = 0;
    const timer = setInterval(() => {
      response.write(`${events.piece}\n\n`);
      if (++generated >= most) clearInterval(timer);
    }, everyMs);
    response.on('close', () => {
      open--;
      clearInterval(timer);
    });
  });
  return { url, open: () => open };
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
