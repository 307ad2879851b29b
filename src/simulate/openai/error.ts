/** Refusals as the OpenAI API words them. */
import { Refusal } from '../answer.ts';
import type { Json } from '../json.ts';

/** `{"error":{message,type,param,code}}`. */
export function openaiError(message: string, type: string, param: string | null, code: string | null): Json {
  return { error: { message, type, param, code } };
}

/** 400 for a request that cannot be understood. */
export function invalid(message: string, param: string | null = null, code: string | null = null): Refusal {
  return new Refusal(400, openaiError(message, 'invalid_request_error', param, code));
}

/** 404 for a model that is not served here. */
export function noModel(model: string): Refusal {
  const message = `The model \`${model}\` does not exist or you do not have access to it.`;
  return new Refusal(404, openaiError(message, 'invalid_request_error', null, 'model_not_found'));
}

/** The body that goes with a status code when an error is asked for. */
export function openaiErrorFor(status: number): Json {
  switch (status) {
    case 401:
      return openaiError('Incorrect API key provided.', 'invalid_request_error', null, 'invalid_api_key');
    case 403:
      return openaiError('You are not allowed to do this.', 'invalid_request_error', null, 'permission_denied');
    case 404:
      return openaiError('Not found.', 'invalid_request_error', null, 'not_found');
    case 429:
      return openaiError('Rate limit reached. Please try again later.', 'requests', null, 'rate_limit_exceeded');
    case 503:
      return openaiError('The server is currently overloaded. Please try again later.', 'server_error', null, null);
    default:
      return status < 500
        ? openaiError(`Simulated error ${status}.`, 'invalid_request_error', null, null)
        : openaiError('The server had an error while processing your request.', 'server_error', null, null);
  }
}

/** The event that breaks off a chat or completion stream. */
export const STREAM_FAILURE = `data: ${JSON.stringify(openaiErrorFor(500))}\n\n`;
