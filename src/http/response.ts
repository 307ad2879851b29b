/** Strict parsing of a response head (RFC 9112 §4 and §6.3). A fault here is the upstream's: 502, and its socket is thrown away. */
import { type BodyLength, LENGTH_CHUNKED, LENGTH_CLOSE, LENGTH_NONE, type ResponseHead } from '../kernel/exchange.ts';
import { CLASS, VALUE } from './chars.ts';
import { HttpFault } from './fault.ts';
import { FieldSection } from './fields.ts';
import { parseContentLength, readConnection } from './framing.ts';
import { KNOWN } from './known.ts';

/** Limits of a response head. */
export interface ResponseLimits {
  /** Bytes of the head. */
  readonly head: number;
  /** Field lines. */
  readonly fields: number;
}

const bad = (kind: string, message: string) => new HttpFault(kind, 'upstream_protocol', message);

/** A parsed response head. */
export class Response extends FieldSection implements ResponseHead {
  status = 0;
  reason = '';
  minor: 0 | 1 = 1;
  /** How the body is framed. */
  length: BodyLength = LENGTH_NONE;
  /** Content-Length as sent, also where there is no body (HEAD, 304); -1 when absent. */
  contentLength = -1;
  /** Whether the connection may carry another request. */
  keepAlive = true;
  /** Seconds of the `Keep-Alive: timeout=` hint; 0 when there is none. */
  keepAliveSeconds = 0;
  /** The protocol agreed to by a 101, as written. */
  upgrade = '';
}

const VERSION = Buffer.from('HTTP/1.');

/** Whether bytes that may become a response head start like one: what is no HTTP is told at once, not by a timeout. */
export function startsResponse(buffer: Buffer, start: number, end: number): boolean {
  const most = Math.min(end - start, VERSION.length);
  for (let i = 0; i < most; i++) if (buffer[start + i] !== VERSION[i]) return false;
  return true;
}

/** Parses the head in `buffer[start, headEnd)`, which ends in CRLF CRLF. `method`: of the request it answers. */
export function parseResponse(
  buffer: Buffer,
  start: number,
  headEnd: number,
  method: string,
  limits: ResponseLimits,
): Response | HttpFault {
  if (headEnd - start > limits.head) {
    return bad('response_head_too_large', `the response head is larger than ${limits.head} bytes (limits.head)`);
  }
  // `HTTP/1.` minor SP three digits, then SP reason or the line's end.
  const minor = (buffer[start + 7] as number) - 48;
  if (
    buffer[start] !== 72 ||
    buffer[start + 1] !== 84 ||
    buffer[start + 2] !== 84 ||
    buffer[start + 3] !== 80 ||
    buffer[start + 4] !== 47 ||
    buffer[start + 5] !== 49 ||
    buffer[start + 6] !== 46 ||
    (minor !== 0 && minor !== 1) ||
    buffer[start + 8] !== 32
  ) {
    return bad('status_line', 'the status line does not start with HTTP/1.0 or HTTP/1.1 (RFC 9112 §4)');
  }
  const h = (buffer[start + 9] as number) - 48;
  const t = (buffer[start + 10] as number) - 48;
  const o = (buffer[start + 11] as number) - 48;
  if (h < 1 || h > 9 || t < 0 || t > 9 || o < 0 || o > 9) {
    return bad('status_line', 'the status is not three digits (RFC 9112 §4)');
  }
  let p = start + 12;
  const reasonStart = p + 1;
  if (buffer[p] === 32) {
    p++;
    while (((CLASS[buffer[p] as number] as number) & VALUE) !== 0) p++;
  }
  if (buffer[p] !== 13 || buffer[p + 1] !== 10)
    return bad('status_line', 'the status line does not end in CRLF (RFC 9112 §4)');
  const reasonEnd = p;

  const head = new Response();
  const fieldsEnd = head.parse(buffer, p + 2, start, limits.fields);
  if (typeof fieldsEnd !== 'number') return bad(`response_${fieldsEnd.kind}`, fieldsEnd.message);
  if (fieldsEnd !== headEnd) return bad('status_line', 'the response head ends before its empty line');
  const text = buffer.toString('latin1', start, headEnd);
  head.text = text;
  head.status = h * 100 + t * 10 + o;
  head.minor = minor as 0 | 1;
  head.reason = reasonEnd > reasonStart ? text.slice(reasonStart - start, reasonEnd - start) : '';
  return readFraming(head, method) ?? head;
}

/** Body length (RFC 9112 §6.3) and the connection's fate (§9.3). */
function readFraming(head: Response, method: string): HttpFault | undefined {
  const { seen, status } = head;
  const coded = (seen & KNOWN['transfer-encoding']) !== 0;
  const counted = (seen & KNOWN['content-length']) !== 0;
  if (readConnection(head)) head.upgrade = head.knownList(KNOWN.upgrade);
  if ((seen & KNOWN['keep-alive']) !== 0) {
    const hint = /(?:^|[,;\s])timeout=(\d{1,6})/i.exec(head.known(KNOWN['keep-alive']) as string);
    if (hint) head.keepAliveSeconds = Number(hint[1]);
  }
  if (counted) {
    if ((head.repeated & KNOWN['content-length']) !== 0) {
      return bad('response_content_length_repeated', 'more than one Content-Length (RFC 9112 §6.3)');
    }
    head.contentLength = parseContentLength(head.known(KNOWN['content-length']) as string);
    if (head.contentLength < 0) {
      return bad('response_content_length_invalid', 'Content-Length is not one decimal number (RFC 9110 §8.6)');
    }
  }
  if (coded) {
    if (counted) return bad('response_cl_and_te', 'Content-Length together with Transfer-Encoding (RFC 9112 §6.3)');
    if (head.minor === 0) return bad('response_te_in_http10', 'Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)');
    const codings = head.knownList(KNOWN['transfer-encoding']).toLowerCase();
    if (codings !== 'chunked')
      return bad('response_unknown_coding', 'the only transfer coding served is chunked (RFC 9112 §6.1)');
  }
  if (status < 200) {
    if (head.minor === 0) return bad('response_interim_http10', 'a 1xx response in HTTP/1.0 (RFC 9110 §15.2)');
    if (coded || head.contentLength > 0)
      return bad('response_body_forbidden', 'a 1xx response announces a body (RFC 9112 §6.3)');
    if (status === 101 && head.upgrade === '')
      return bad('response_upgrade_missing', 'a 101 response does not say what it upgrades to (RFC 9110 §7.8)');
    return undefined;
  }
  if (status === 204 && (coded || head.contentLength > 0)) {
    return bad('response_body_forbidden', 'a 204 response announces a body (RFC 9110 §8.6)');
  }
  if (status === 204 || status === 304 || method === 'HEAD') return undefined;
  if (coded) head.length = LENGTH_CHUNKED;
  else if (counted) head.length = head.contentLength;
  else {
    head.length = LENGTH_CLOSE;
    head.keepAlive = false;
  }
  return undefined;
}
