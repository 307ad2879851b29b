/** Faults of meaning: well-formed messages where they do not belong, and bytes after the end. */
import { gzipSync } from 'node:zlib';
import type { Fault } from '../fault.ts';
import { CHUNKED, CLOSE, chunks, head, LAST, length, odd, raw } from './build.ts';

/** Faults of meaning: well-formed messages where they do not belong, and bytes after the end. */
export const semanticFaults: readonly Fault[] = [
  raw(
    'interim',
    'valid',
    'fin',
    '102 and 103 before the answer (RFC 9110 §15.2).',
    (b) =>
      `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n${head(b, CLOSE + length(b))}${b.text}`,
  ),
  raw(
    'interim-continue',
    'valid',
    'fin',
    '100 that nobody asked for, then the answer.',
    (b) => `HTTP/1.1 100 Continue\r\n\r\n${head(b, CLOSE + length(b))}${b.text}`,
  ),
  raw(
    'interim-flood',
    'invalid',
    'open',
    '10,000 interim answers.',
    (b) => 'HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n'.repeat(10_000) + head(b, length(b)) + b.text,
  ),
  raw(
    'interim-length',
    'invalid',
    'open',
    'An interim answer with Content-Length (RFC 9110 §8.6).',
    (b) => `HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n${head(b, length(b))}${b.text}`,
  ),
  raw(
    'switching-unasked',
    'invalid',
    'open',
    '101 though nobody asked to switch.',
    () => 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  ),
  raw(
    'no-content-with-body',
    'trailing',
    'open',
    '204 and then bytes (RFC 9112 §6.3).',
    (b) => `HTTP/1.1 204 No Content\r\n\r\n${b.text}`,
  ),
  raw(
    'no-content-with-length',
    'either',
    'open',
    '204 with Content-Length (RFC 9110 §8.6).',
    (b) => `HTTP/1.1 204 No Content\r\n${length(b)}\r\n${b.text}`,
  ),
  raw(
    'no-content-chunked',
    'either',
    'open',
    '204 with Transfer-Encoding.',
    (b) => `HTTP/1.1 204 No Content\r\n${CHUNKED}\r\n${chunks(b)}${LAST}`,
  ),
  raw(
    'not-modified-with-body',
    'trailing',
    'open',
    '304 and then bytes.',
    (b) => `HTTP/1.1 304 Not Modified\r\n\r\n${b.text}`,
  ),
  raw('garbage-after', 'trailing', 'open', 'Bytes after a good answer.', (b) => `${odd('')(b)}garbage`),
  raw(
    'garbage-after-chunked',
    'trailing',
    'open',
    'Bytes after the last chunk.',
    (b) => `${head(b, CHUNKED)}${chunks(b)}${LAST}garbage`,
  ),
  raw(
    'second-response',
    'trailing',
    'open',
    'A second answer that nobody asked for: response queue poisoning.',
    (b) => odd('')(b) + odd('X-Poison: 1\r\n')(b),
  ),
  raw(
    'timeout-after',
    'trailing',
    'fin',
    'A good answer, then 408 and FIN, as an idle server does.',
    (b) => `${odd('')(b)}HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ),
  raw('gzip', 'valid', 'fin', 'Content-Encoding: gzip, asked for or not.', (b) => {
    const packed = gzipSync(Buffer.from(b.text, 'latin1')).toString('latin1');
    return head(b, `Content-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n${CLOSE}`) + packed;
  }),
  raw('gzip-bomb', 'valid', 'fin', '64 MiB of zeros in 64 KiB of gzip: harmless to who does not unpack.', (b) => {
    const packed = gzipSync(Buffer.alloc(64 << 20)).toString('latin1');
    return head(b, `Content-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n${CLOSE}`) + packed;
  }),
];
