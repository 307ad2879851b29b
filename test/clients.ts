/** Real clients, narrowed to what tests use of them. Both are npm peers: guard tests with `needs({ peers: […] })`. */
import { importPeer } from './peers.ts';

/** One event of a chat stream. */
export interface ChatChunk {
  choices: { delta: { content?: string | null }; finish_reason: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null;
}

/** A whole chat answer. */
export interface ChatCompletion {
  model: string;
  choices: { message: { content: string | null }; finish_reason: string }[];
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/** The `openai` package's client. */
export interface OpenAIClient {
  chat: {
    completions: {
      create(body: { stream: true; [field: string]: unknown }): Promise<AsyncIterable<ChatChunk>>;
      create(body: { stream?: false; [field: string]: unknown }): Promise<ChatCompletion>;
      stream(body: object): { finalChatCompletion(): Promise<ChatCompletion> };
    };
  };
  completions: { create(body: object): Promise<{ choices: { text: string }[] }> };
  responses: {
    create(body: { stream: true; [field: string]: unknown }): Promise<AsyncIterable<{ type: string }>>;
    create(body: { stream?: false; [field: string]: unknown }): Promise<{ output_text: string; status: string }>;
    stream(body: object): {
      finalResponse(): Promise<{ output_text: string; status: string; incomplete_details: { reason: string } | null }>;
    };
  };
  embeddings: { create(body: object): Promise<{ data: { embedding: number[] }[]; usage: { prompt_tokens: number } }> };
  models: { list(): Promise<{ data: { id: string }[] }> };
}

/** The `@anthropic-ai/sdk` package's client. */
export interface AnthropicClient {
  messages: {
    create(body: { stream: true; [field: string]: unknown }): Promise<AsyncIterable<{ type: string }>>;
    create(body: {
      stream?: false;
      [field: string]: unknown;
    }): Promise<{ content: { type: string; text?: string }[]; usage: { input_tokens: number; output_tokens: number } }>;
    stream(body: object): {
      finalMessage(): Promise<{ content: { type: string; text?: string }[]; stop_reason: string | null }>;
    };
  };
}

/** An OpenAI client that talks to `url` (without `/v1`), does not retry, and adds `options`. */
export async function openaiClient(url: string, options: object = {}): Promise<OpenAIClient> {
  const { default: Client } = await importPeer<{ default: new (options: object) => OpenAIClient }>('openai');
  return new Client({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0, ...options });
}

/** An Anthropic client that talks to `url` (without `/v1`), does not retry, and adds `options`. */
export async function anthropicClient(url: string, options: object = {}): Promise<AnthropicClient> {
  const { default: Client } = await importPeer<{ default: new (options: object) => AnthropicClient }>(
    '@anthropic-ai/sdk',
  );
  return new Client({ baseURL: url, apiKey: 'none', maxRetries: 0, ...options });
}

/** Reads a chat stream to its end: its pieces of text, why it finished, and the usage it told. */
export async function readChat(stream: AsyncIterable<ChatChunk>): Promise<{
  pieces: string[];
  finish: string | null;
  usage: ChatChunk['usage'];
}> {
  const pieces: string[] = [];
  let finish: string | null = null;
  let usage: ChatChunk['usage'];
  for await (const chunk of stream) {
    const [choice] = chunk.choices;
    if (choice?.delta.content) pieces.push(choice.delta.content);
    finish = choice?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  return { pieces, finish, usage };
}
