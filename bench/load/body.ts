/** The bodies that the bench sends: chat requests, chat answers and chunks of a chat stream, of an exact length. */

const MODEL = 'bench-model';

/** A chat completion request of exactly `bytes` bytes (at least 200). */
export function requestBody(bytes: number, stream = false): string {
  return padded(
    bytes,
    (filling) =>
      `{"model":"${MODEL}","stream":${stream},"max_tokens":256,"temperature":0.7,"messages":[{"role":"system","content":"You are brief."},{"role":"user","content":"${filling}"}]}`,
  );
}

/** A chat completion answer of exactly `bytes` bytes (at least 300). */
export function answerBody(bytes: number): string {
  return padded(
    bytes,
    (filling) =>
      `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"${MODEL}","choices":[{"index":0,"message":{"role":"assistant","content":"${filling}"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":182,"completion_tokens":9,"total_tokens":191}}`,
  );
}

/** One chunk of a chat stream as an SSE event, about 200 bytes. */
export const EVENT = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"${MODEL}","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}\n\n`;

/** The last event of a finite stream. */
export const DONE_EVENT = 'data: [DONE]\n\n';

function padded(bytes: number, make: (filling: string) => string): string {
  const missing = bytes - make('').length;
  if (missing < 0) throw new Error(`a body of ${bytes} bytes is too small: ${-missing} more are needed`);
  const words = 'the quick brown fox jumps over the lazy dog ';
  return make(words.repeat(Math.ceil(missing / words.length)).slice(0, missing));
}
