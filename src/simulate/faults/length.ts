/** Faults of Content-Length. */
import type { Fault } from '../fault.ts';
import { CHUNKED, chunks, half, head, LAST, length, lengths, raw } from './build.ts';

/** Faults of Content-Length. */
export const lengthFaults: readonly Fault[] = [
  raw(
    'body-cut',
    'cut',
    'fin',
    'Content-Length body cut short by FIN.',
    (b) => head(b, length(b)) + b.text.slice(0, half(b)),
  ),
  raw(
    'body-cut-reset',
    'cut',
    'rst',
    'Content-Length body cut short by RST.',
    (b) => head(b, length(b)) + b.text.slice(0, half(b)),
  ),
  raw(
    'content-length-and-transfer-encoding',
    'invalid',
    'open',
    'Both framings (RFC 9112 §6.3).',
    (b) => head(b, length(b) + CHUNKED) + chunks(b) + LAST,
  ),
  raw(
    'transfer-encoding-and-content-length',
    'invalid',
    'open',
    'Both framings, the other way round.',
    (b) => head(b, CHUNKED + length(b)) + chunks(b) + LAST,
  ),
  raw(
    'content-length-differing',
    'invalid',
    'open',
    'Two lengths that differ.',
    lengths((n) => `Content-Length: ${n}\r\nContent-Length: ${n + 1}\r\n`),
  ),
  raw(
    'content-length-repeated',
    'either',
    'open',
    'The same length twice; refusing and merging are both right (RFC 9112 §6.3).',
    lengths((n) => `Content-Length: ${n}\r\nContent-Length: ${n}\r\n`),
  ),
  raw(
    'content-length-list',
    'either',
    'open',
    'The same length as a list.',
    lengths((n) => `Content-Length: ${n}, ${n}\r\n`),
  ),
  raw(
    'content-length-list-differing',
    'invalid',
    'open',
    'A list of differing lengths.',
    lengths((n) => `Content-Length: ${n}, ${n + 1}\r\n`),
  ),
  raw(
    'content-length-negative',
    'invalid',
    'open',
    'A negative length.',
    lengths(() => 'Content-Length: -1\r\n'),
  ),
  raw(
    'content-length-plus',
    'invalid',
    'open',
    'A signed length.',
    lengths((n) => `Content-Length: +${n}\r\n`),
  ),
  raw(
    'content-length-hex',
    'invalid',
    'open',
    'A hexadecimal length.',
    lengths((n) => `Content-Length: 0x${n.toString(16)}\r\n`),
  ),
  raw(
    'content-length-spaced',
    'invalid',
    'open',
    'A length with a space inside.',
    lengths((n) => `Content-Length: ${n} ${n}\r\n`),
  ),
  raw(
    'content-length-empty',
    'invalid',
    'open',
    'An empty length.',
    lengths(() => 'Content-Length: \r\n'),
  ),
  raw(
    'content-length-huge',
    'invalid',
    'open',
    'A length beyond 2^64.',
    lengths((n) => `Content-Length: ${(1n << 64n) + BigInt(n)}\r\n`),
  ),
  raw(
    'content-length-letters',
    'invalid',
    'open',
    'A length that is no number.',
    lengths(() => 'Content-Length: many\r\n'),
  ),
];
