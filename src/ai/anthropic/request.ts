/** Which requests are calls of the Anthropic API. */
import { type Operation, operation } from '../operation.ts';

/** Path → operation of a POST with a JSON body that names its model at the top level. */
export const posts: readonly (readonly [string, Operation])[] = [
  ['/v1/messages', operation('anthropic', 'messages', true)],
  ['/v1/messages/count_tokens', operation('anthropic', 'count_tokens', true)],
];

/** The field that every Anthropic client sends, and that tells its /v1/models from OpenAI's. */
export const versionField = 'anthropic-version';

/** GET /v1/models. */
export const models = operation('anthropic', 'models', false);
/** GET /v1/models/{id}. */
export const model = operation('anthropic', 'model', false);
