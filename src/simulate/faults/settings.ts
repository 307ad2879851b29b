/** Settings of an otherwise well-formed answer: what the server reads by name. */
import type { Fault } from '../fault.ts';
import { knob } from './build.ts';

/** Settings of an otherwise well-formed answer: what the server reads by name. */
export const settings: readonly Fault[] = [
  knob('status', 'CODE', '500', 'answer', 'Answers with this status and an error body in the shape of the protocol.'),
  knob('retry-after', 'SECONDS', '1', 'answer', 'Adds Retry-After; with `status`, or on its own to a good answer.'),
  knob('ttft', 'MS', '1000', 'answer', 'Time to the first token; the head comes with it.'),
  knob('slow-start', 'MS', '1000', 'answer', 'Head at once, the first event only after this time.'),
  knob('rate', 'N', '50', 'answer', 'Tokens a second of this answer; 0 is as fast as possible.'),
  knob('tokens', 'N', '16', 'answer', 'Length of this answer in tokens, if the request allows it.'),
  knob('cached', 'N', '8', 'answer', 'Reports so many prompt tokens as read from a prompt cache.'),
  knob('reasoning', 'N', '8', 'answer', 'Reports so many more output tokens as spent on reasoning.'),
  knob(
    'sse',
    'STYLE',
    'crlf',
    'answer',
    'Writes events as crlf, cr, nospace, comments, bom or multiline (all legal SSE).',
  ),
  knob(
    'split',
    'BYTES',
    '7',
    'answer',
    'Cuts the stream into chunks of so many bytes, within events and characters too.',
  ),
  knob(
    'ratelimit',
    'REMAINING',
    '0',
    'answer',
    'Adds the rate-limit headers of the protocol with this many requests left.',
  ),
  knob('early', '', '', 'answer', 'Answers before reading the request body (RFC 9112 §9.3 early response).'),
  knob('no-read', '', '', 'silent', 'Never reads the request body and never answers: backpressure reaches the client.'),
  knob('connection-close', '', '', 'answer', 'Answers well, says Connection: close, and closes.'),
  knob(
    'stall',
    'head|N',
    'head',
    'silent',
    'Goes silent for ever: before the head, or after N tokens (or half a body).',
  ),
  knob('reset-mid-stream', 'N', '3', 'cut', 'RST after N tokens, or after half of a body that is not streamed.'),
  knob('fin-mid-stream', 'N', '3', 'cut', 'Closes cleanly (FIN) after N tokens or half a body, framing unfinished.'),
  knob('error-mid-stream', 'N', '3', 'answer', 'Ends the stream after N tokens with the error event of the protocol.'),
];
