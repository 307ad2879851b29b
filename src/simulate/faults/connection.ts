/** Faults of the connection: resets, early ends, silence, slowness. */
import type { Fault } from '../fault.ts';
import { CLOSE, head, length, odd, raw } from './build.ts';

/** Faults of the connection: resets, early ends, silence, slowness. */
export const connection: readonly Fault[] = [
  raw('reset-before-head', 'invalid', 'rst', 'RST instead of an answer.', () => ''),
  raw('fin-before-head', 'invalid', 'fin', 'FIN instead of an answer.', () => ''),
  raw('reset-mid-head', 'invalid', 'rst', 'RST in the middle of the head.', (b) => head(b, length(b)).slice(0, 30)),
  raw('fin-mid-head', 'invalid', 'fin', 'FIN in the middle of the head.', (b) => head(b, length(b)).slice(0, 30)),
  raw('stall-mid-head', 'silent', 'open', 'Half a head, then silence.', (b) => head(b, length(b)).slice(0, 30)),
  raw('close-after-response', 'trailing', 'fin', 'A good keep-alive answer, then FIN at once.', odd('')),
  raw(
    'http10-close',
    'valid',
    'fin',
    'HTTP/1.0 without length: the end of the connection ends the body.',
    (b) => head(b, '', 'HTTP/1.0 200 OK\r\n') + b.text,
  ),
  raw(
    'http11-close',
    'valid',
    'fin',
    'HTTP/1.1 without length: the end of the connection ends the body.',
    (b) => head(b, CLOSE) + b.text,
  ),
  { ...raw('drip', 'valid', 'fin', 'A good answer, one byte each millisecond.', odd(CLOSE)), pace: 'drip' },
];
