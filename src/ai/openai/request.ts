/** Which requests are calls of the OpenAI API, or of its extensions by vLLM and others. */
import { type Operation, operation } from '../operation.ts';

const tokenize = operation('openai', 'tokenize', true);
const detokenize = operation('openai', 'detokenize', true);
const rerank = operation('openai', 'rerank', true);
const score = operation('openai', 'score', true);

/** Path → operation of a POST with a JSON body that names its model at the top level. */
export const posts: readonly (readonly [string, Operation])[] = [
  ['/v1/chat/completions', operation('openai', 'chat', true, true)],
  ['/v1/completions', operation('openai', 'text_completion', true, true)],
  ['/v1/responses', operation('openai', 'responses', true)],
  ['/v1/responses/input_tokens', operation('openai', 'response_tokens', true)],
  ['/v1/responses/compact', operation('openai', 'response_compaction', true)],
  ['/v1/embeddings', operation('openai', 'embeddings', true)],
  ['/v1/moderations', operation('openai', 'moderations', true)],
  ['/v1/images/generations', operation('openai', 'images', true)],
  ['/v1/audio/speech', operation('openai', 'speech', true)],
  ['/rerank', rerank],
  ['/v1/rerank', rerank],
  ['/v2/rerank', rerank],
  ['/score', score],
  ['/v1/score', score],
  ['/classify', operation('openai', 'classify', true)],
  ['/pooling', operation('openai', 'pooling', true)],
  ['/tokenize', tokenize],
  ['/detokenize', detokenize],
];

/** GET /v1/models. */
export const models = operation('openai', 'models', false);
/** GET /v1/models/{id}. */
export const model = operation('openai', 'model', false);
