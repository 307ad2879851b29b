/** Finding the end of a head in arriving bytes, and the faults that show before it is complete. */
import { HttpFault } from './fault.ts';

const END = Buffer.from('\r\n\r\n');
const LF = 10;
const CR = 13;

/**
 * Position after the CRLF CRLF that ends a head, or -1 when it is not there yet. `from` may be 3 bytes before what is new.
 */
export function findHeadEnd(buffer: Buffer, from: number, end: number): number {
  const at = buffer.indexOf(END, from);
  return at < 0 || at + 4 > end ? -1 : at + 4;
}

/**
 * Looks at a head that is not complete yet, so that bad line ends are answered at once instead of by a timeout.
 * `limit`: bytes that a head may have.
 */
export function checkPartialHead(
  buffer: Buffer,
  start: number,
  end: number,
  limit: number,
  uriLimit: number,
): HttpFault | undefined {
  let lines = 0;
  for (let at = buffer.indexOf(LF, start); at >= 0 && at < end; at = buffer.indexOf(LF, at + 1)) {
    if (at === start || buffer[at - 1] !== CR) {
      return new HttpFault('bare_lf', 'bad_request', 'a line ends in LF without CR (RFC 9112 §2.2)');
    }
    lines++;
  }
  if (lines === 0 && end - start > uriLimit + 32) {
    return new HttpFault(
      'uri_too_long',
      'uri_too_long',
      `the request line is longer than ${uriLimit} bytes (limits.uri)`,
    );
  }
  if (end - start > limit) {
    return new HttpFault('head_too_large', 'head_too_large', `the head is larger than ${limit} bytes (limits.head)`);
  }
  return undefined;
}
