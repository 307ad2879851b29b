/**
 * A real engine in a process of its own: llama.cpp behind the part of the OpenAI API that tests use. Prints its port when
 * ready. Run by engine.ts with the model file as argument.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { importPeer } from '../peers.ts';

interface Sequence {
  evaluate(tokens: number[], options: { temperature: number }): AsyncGenerator<number, void, void>;
  clearHistory(): Promise<void>;
}

interface Model {
  tokenize(text: string): number[];
  detokenize(tokens: number[], specialTokens: boolean, lastTokens: number[]): string;
  tokens: { bos: number };
  createContext(options: object): Promise<{ getSequence(): Sequence }>;
}

interface Llama {
  getLlama(options: object): Promise<{ loadModel(options: object): Promise<Model> }>;
}

interface ChatRequest {
  model?: string;
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  max_tokens?: number;
  max_completion_tokens?: number;
  messages?: { content?: string | { text?: string }[] }[];
}

const PARALLEL = 4;
const MODEL_NAME = 'bigram';

const { getLlama } = await importPeer<Llama>('node-llama-cpp');
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error', maxThreads: 1 });
const model = await llama.loadModel({ modelPath: process.argv[2] });
const context = await model.createContext({ sequences: PARALLEL, contextSize: 512, threads: 1 });
const free: Sequence[] = Array.from({ length: PARALLEL }, () => context.getSequence());
const waiting: ((sequence: Sequence) => void)[] = [];
const seen = { running: 0, completed: 0, cancelled: 0 };

function acquire(): Promise<Sequence> {
  const sequence = free.pop();
  return sequence ? Promise.resolve(sequence) : new Promise((resolve) => waiting.push(resolve));
}

async function release(sequence: Sequence): Promise<void> {
  await sequence.clearHistory();
  const next = waiting.shift();
  if (next) next(sequence);
  else free.push(sequence);
}

async function readJson(request: IncomingMessage): Promise<ChatRequest> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as ChatRequest;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const textOf = ({ messages = [] }: ChatRequest): string =>
  messages
    .map(({ content = '' }) => (typeof content === 'string' ? content : content.map((part) => part.text).join(' ')))
    .join(' ');

async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = await readJson(request);
  if (asked.model !== MODEL_NAME) {
    const message = `The model \`${asked.model}\` does not exist.`;
    return sendJson(response, 404, {
      error: { message, type: 'invalid_request_error', param: 'model', code: 'model_not_found' },
    });
  }
  const prompt = [model.tokens.bos, ...model.tokenize(textOf(asked))];
  const most = asked.max_completion_tokens ?? asked.max_tokens ?? 256;
  const base = { id: 'chatcmpl-engine', created: 0, model: MODEL_NAME };
  const event = (body: object) => response.write(`data: ${JSON.stringify(body)}\n\n`);
  const chunk = (delta: object, finish: string | null) =>
    event({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] });

  const sequence = await acquire();
  seen.running++;
  let made = 0;
  let text = '';
  let finish = 'stop';
  try {
    if (asked.stream) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
      chunk({ role: 'assistant', content: '' }, null);
    }
    for await (const token of sequence.evaluate(prompt, { temperature: 0 })) {
      if (response.destroyed) break;
      made++;
      const piece = model.detokenize([token], false, prompt);
      text += piece;
      if (asked.stream) chunk({ content: piece }, null);
      if (made >= most) {
        finish = 'length';
        break;
      }
    }
  } finally {
    seen.running--;
    seen[response.destroyed ? 'cancelled' : 'completed']++;
    await release(sequence);
  }
  const usage = { prompt_tokens: prompt.length, completion_tokens: made, total_tokens: prompt.length + made };
  if (!asked.stream) {
    const message = { role: 'assistant', content: text };
    const choices = [{ index: 0, message, finish_reason: finish }];
    return sendJson(response, 200, { ...base, object: 'chat.completion', choices, usage });
  }
  chunk({}, finish);
  if (asked.stream_options?.include_usage) event({ ...base, object: 'chat.completion.chunk', choices: [], usage });
  response.end('data: [DONE]\n\n');
}

const server = createServer((request, response) => {
  const path = `${request.method} ${request.url}`;
  if (path === 'GET /health') return sendJson(response, 200, seen);
  if (path === 'GET /v1/models')
    return sendJson(response, 200, { object: 'list', data: [{ id: MODEL_NAME, object: 'model', owned_by: 'engine' }] });
  if (path === 'POST /v1/chat/completions') {
    chat(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 400, { error: { message: String(error), type: 'invalid_request_error' } });
    });
    return;
  }
  sendJson(response, 404, { error: { message: `no ${path} here`, type: 'invalid_request_error' } });
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
// Whoever started the engine holds its standard input: when that one goes, so does the engine.
process.stdin.on('end', () => process.exit(0)).resume();
