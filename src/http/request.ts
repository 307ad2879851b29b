/** Strict parsing of a request head (RFC 9112 §3 and §6). What two parsers could read in two ways is refused. */
import { type BodyLength, LENGTH_CHUNKED, LENGTH_NONE, type RequestHead } from '../kernel/exchange.ts';
import { CLASS, HOST, TARGET, TOKEN } from './chars.ts';
import { HttpFault } from './fault.ts';
import { FieldSection } from './fields.ts';

import { parseContentLength, readConnection, requestCodings, upgradeProtocols } from './framing.ts';
import { FORWARDING_FIELDS, HOP_BY_HOP, KNOWN } from './known.ts';

/** Limits of a request head. */
export interface RequestLimits {
  /** Bytes of the head. */
  readonly head: number;
  /** Bytes of the request target. */
  readonly uri: number;
  /** Field lines. */
  readonly fields: number;
  /** Bytes of the body. */
  readonly body: number;
}

const bad = (kind: string, message: string) => new HttpFault(kind, 'bad_request', message);

/** Fields that change who is asked, by whom, and where the message ends: a second spelling of them is an attack. */
const ONE_SPELLING = HOP_BY_HOP | KNOWN.host | KNOWN.expect | FORWARDING_FIELDS;

// Most requests of a connection name the same host: checking and lower-casing it once is enough. Only what is valid is kept.
let lastAuthority = '';
let lastHost = '';

/** A parsed request head. */
export class Request extends FieldSection implements RequestHead {
  method = '';
  target = '';
  path = '';
  query = '';
  authority = '';
  host = '';
  minor: 0 | 1 = 1;
  /** How the body is framed. */
  length: BodyLength = LENGTH_NONE;
  /** Whether the connection may carry another request. */
  keepAlive = true;
  /** Whether the client waits for 100 Continue. */
  expectContinue = false;
  /** The protocol asked for by Upgrade (lower case), or ''. */
  upgrade = '';
}

/** Parses the head in `buffer[start, headEnd)`, which ends in CRLF CRLF. */
export function parseRequest(
  buffer: Buffer,
  start: number,
  headEnd: number,
  limits: RequestLimits,
): Request | HttpFault {
  if (headEnd - start > limits.head) {
    return new HttpFault(
      'head_too_large',
      'head_too_large',
      `the head is larger than ${limits.head} bytes (limits.head)`,
    );
  }
  let p = start;
  while (((CLASS[buffer[p] as number] as number) & TOKEN) !== 0) p++;
  const methodEnd = p;
  if (p === start || p - start > 32 || buffer[p] !== 32) return requestLineFault(buffer, p);
  // `head` would be answered with a body by one server and without by the next.
  for (let i = start; i < p; i++) {
    if ((buffer[i] as number) >= 97 && (buffer[i] as number) <= 122)
      return bad('method_case', 'methods are written in capitals (RFC 9110 §9.1)');
  }
  const targetStart = ++p;
  let questionMark = -1;
  for (let c = buffer[p] as number; ((CLASS[c] as number) & TARGET) !== 0; c = buffer[++p] as number) {
    if (c === 63 && questionMark < 0) questionMark = p;
  }
  const targetEnd = p;
  if (p === targetStart || buffer[p] !== 32) return requestLineFault(buffer, p);
  if (targetEnd - targetStart > limits.uri) {
    return new HttpFault(
      'uri_too_long',
      'uri_too_long',
      `the request target is longer than ${limits.uri} bytes (limits.uri)`,
    );
  }
  // `HTTP/1.` then 0 or 1, then CRLF.
  if (
    buffer[p + 1] !== 72 ||
    buffer[p + 2] !== 84 ||
    buffer[p + 3] !== 84 ||
    buffer[p + 4] !== 80 ||
    buffer[p + 5] !== 47 ||
    buffer[p + 7] !== 46
  ) {
    return requestLineFault(buffer, p + 1);
  }
  const major = (buffer[p + 6] as number) - 48;
  const minor = (buffer[p + 8] as number) - 48;
  if (buffer[p + 9] !== 13 || buffer[p + 10] !== 10) return requestLineFault(buffer, p + 9);
  if (major !== 1 || (minor !== 0 && minor !== 1)) {
    if (major >= 0 && major <= 9 && minor >= 0 && minor <= 9) {
      return new HttpFault('http_version', 'version_not_supported', 'only HTTP/1.0 and HTTP/1.1 are spoken here');
    }
    return bad('request_line', 'the request line is not METHOD SP TARGET SP HTTP/1.1 (RFC 9112 §3)');
  }

  const head = new Request();
  const fieldsEnd = head.parse(buffer, p + 11, start, limits.fields);
  if (typeof fieldsEnd !== 'number') return fieldsEnd;
  if (fieldsEnd !== headEnd) return bad('request_line', 'the head ends before its empty line');
  if ((head.underscored & ONE_SPELLING) !== 0) {
    return bad('underscore_field_name', 'a field that frames or addresses a message is written with _ for -');
  }
  const text = buffer.toString('latin1', start, headEnd);
  head.text = text;
  head.minor = minor as 0 | 1;
  head.method = text.slice(0, methodEnd - start);
  const fault = readTarget(
    head,
    text.slice(targetStart - start, targetEnd - start),
    questionMark < 0 ? -1 : questionMark - targetStart,
  );
  return fault ?? readFraming(head, limits) ?? head;
}

function requestLineFault(buffer: Buffer, at: number): HttpFault {
  const c = buffer[at] as number;
  if (c === 10) return bad('bare_lf', 'a line ends in LF without CR (RFC 9112 §2.2)');
  if (c === 13 && buffer[at + 1] !== 10) return bad('bare_cr', 'a CR is not followed by LF (RFC 9112 §2.2)');
  return bad('request_line', 'the request line is not METHOD SP TARGET SP HTTP/1.1 (RFC 9112 §3)');
}

/** Host and target (RFC 9112 §3.2): exactly one valid Host in HTTP/1.1; an absolute target must agree with it. */
function readTarget(head: Request, target: string, questionMark: number): HttpFault | undefined {
  if ((head.repeated & KNOWN.host) !== 0) return bad('host_repeated', 'more than one Host field (RFC 9112 §3.2)');
  const host = head.known(KNOWN.host);
  if (host === undefined && head.minor === 1) return bad('host_missing', 'no Host field (RFC 9112 §3.2)');
  if (host !== undefined && (host === '' || (host !== lastAuthority && !validAuthority(host)))) {
    return bad('host_invalid', 'the Host field is not a host and an optional port (RFC 9110 §7.2)');
  }
  if (head.method === 'CONNECT') {
    return new HttpFault(
      'connect_method',
      'method_not_allowed',
      'CONNECT is not served here: this is no forward proxy',
    );
  }
  let origin = target;
  let mark = questionMark;
  let authority = host ?? '';
  if (target.charCodeAt(0) !== 47) {
    if (target === '*') {
      if (head.method !== 'OPTIONS') return bad('request_target', 'the target * is for OPTIONS only (RFC 9112 §3.2.4)');
    } else {
      const absolute = /^https?:\/\/([^/?]*)(\/[^?]*)?(\?.*)?$/i.exec(target);
      if (!absolute) return bad('request_target', 'the request target does not start with / (RFC 9112 §3.2)');
      authority = absolute[1] as string;
      if (!validAuthority(authority)) return bad('host_invalid', 'the request target names no valid host');
      if (host !== undefined && host.toLowerCase() !== authority.toLowerCase()) {
        return bad('host_mismatch', 'Host and the absolute request target name different hosts');
      }
      const query = absolute[3] ?? '';
      // An absolute target without path and query asks the server as a whole (RFC 9112 §3.2.4).
      origin = (absolute[2] ?? (head.method === 'OPTIONS' && query === '' ? '*' : '/')) + query;
      mark = origin.indexOf('?');
    }
  }
  head.target = origin;
  head.path = mark < 0 ? origin : origin.slice(0, mark);
  head.query = mark < 0 ? '' : origin.slice(mark + 1);
  head.authority = authority;
  if (authority !== lastAuthority) {
    lastAuthority = authority;
    lastHost = hostOf(authority);
  }
  head.host = lastHost;
  return undefined;
}

/** Not empty: an http URI without a host is invalid (RFC 9110 §4.2.1). */
function validAuthority(authority: string): boolean {
  if (authority === '') return false;
  for (let i = 0; i < authority.length; i++)
    if (((CLASS[authority.charCodeAt(i)] as number) & HOST) === 0) return false;
  const port = /^(?:\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::(\d{0,5}))?$/.exec(authority);
  return port !== null && Number(port[1] ?? 0) <= 65_535;
}

function hostOf(authority: string): string {
  const end = authority.charCodeAt(0) === 91 ? authority.indexOf(']') + 1 : authority.indexOf(':');
  const host = (end > 0 ? authority.slice(0, end) : authority).toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** Body length and connection options (RFC 9112 §6.3, §9.3). */
function readFraming(head: Request, limits: RequestLimits): HttpFault | undefined {
  const { seen } = head;
  const coded = (seen & KNOWN['transfer-encoding']) !== 0;
  const counted = (seen & KNOWN['content-length']) !== 0;
  if (coded) {
    if (head.minor === 0) return bad('te_in_http10', 'Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)');
    if (counted) return bad('cl_and_te', 'Content-Length together with Transfer-Encoding (RFC 9112 §6.3)');
    const fault = requestCodings(head.knownList(KNOWN['transfer-encoding']));
    if (fault) return fault;
    head.length = LENGTH_CHUNKED;
  } else if (counted) {
    if ((head.repeated & KNOWN['content-length']) !== 0) {
      return bad('content_length_repeated', 'more than one Content-Length (RFC 9112 §6.3)');
    }
    const length = parseContentLength(head.known(KNOWN['content-length']) as string);
    if (length < 0) return bad('content_length_invalid', 'Content-Length is not one decimal number (RFC 9110 §8.6)');
    if (length > limits.body) {
      return new HttpFault(
        'body_too_large',
        'body_too_large',
        `the body is larger than ${limits.body} bytes (limits.body)`,
      );
    }
    head.length = length;
  }
  if (readConnection(head) && head.minor === 1 && head.length === LENGTH_NONE) {
    head.upgrade = upgradeProtocols(head.knownList(KNOWN.upgrade));
  }
  if ((seen & KNOWN.expect) !== 0) {
    if (head.knownList(KNOWN.expect).toLowerCase() !== '100-continue') {
      return new HttpFault(
        'expectation',
        'expectation_failed',
        'the only expectation served is 100-continue (RFC 9110 §10.1.1)',
      );
    }
    head.expectContinue = head.minor === 1 && head.length !== LENGTH_NONE && head.length !== 0;
  }
  return undefined;
}
