/**
 * Header blocks of HTTP/2 as the heads that the rest of Gatehouse knows. What RFC 9113 §8 calls malformed is refused here;
 * what is left is written as the HTTP/1.1 head that means the same and read by that codec, so that whatever it refuses is
 * refused in either version, and no later hop can read it in another way.
 */
import { LENGTH_CHUNKED, LENGTH_NONE } from '../../kernel/exchange.ts';
import { HttpFault } from '../fault.ts';
import { parseRequest, type Request, type RequestLimits } from '../request.ts';
import { parseResponse, type Response, type ResponseLimits } from '../response.ts';
import { readTrailers } from '../trailers.ts';
import { fieldSize } from './decoder.ts';
import type { HpackField } from './table.ts';

/** What a block is to be. */
export type BlockKind = 'request' | 'response' | 'trailers';

/** A message that must not be served (RFC 9113 §8.1.1): the stream ends with PROTOCOL_ERROR. */
export class Malformed {
  readonly kind: string;
  readonly message: string;

  /** `kind`: name of the counter that moves. */
  constructor(kind: string, message: string) {
    this.kind = kind;
    this.message = message;
  }
}

/** So many times its limit may a block unfold to; one that is larger was made to do harm. */
const BOMB_FACTOR = 8;
const FORBIDDEN: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Where heads are written to be read; one for all, for nothing of it is kept. */
let scratch = Buffer.allocUnsafeSlow(8192);

function bytesOf(text: string): Buffer {
  if (text.length > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * text.length);
  scratch.write(text, 0, 'latin1');
  return scratch;
}

/** Collects the fields of one block; used again for each. */
export class HeadCollector {
  /** The block unfolds to many times its limit. */
  bomb = false;
  #kind: BlockKind = 'request';
  #limit = 0;
  #size = 0;
  #fields = 0;
  #lines = '';
  #regular = false;
  #malformed: Malformed | undefined = undefined;
  #method: string | undefined = undefined;
  #scheme: string | undefined = undefined;
  #path: string | undefined = undefined;
  #authority: string | undefined = undefined;
  #status: string | undefined = undefined;
  #host: string | undefined = undefined;
  #cookie = '';

  /** Takes a field; bound, to be handed to the decoder as it is. */
  readonly visit = (field: HpackField): void => this.#visit(field);

  /** Starts on a block. `limit`: octets of names and values, with 32 for each field (RFC 9113 §6.5.2). */
  begin(kind: BlockKind, limit: number): void {
    this.#kind = kind;
    this.#limit = limit;
    this.#size = this.#fields = 0;
    this.#lines = this.#cookie = '';
    this.#regular = this.bomb = false;
    this.#malformed = undefined;
    this.#method = this.#scheme = this.#path = this.#authority = this.#status = this.#host = undefined;
  }

  #visit(field: HpackField): void {
    this.#size += fieldSize(field);
    if (this.#size > this.#limit) {
      this.bomb = this.#size > BOMB_FACTOR * this.#limit;
      return;
    }
    if (this.#malformed !== undefined) return;
    const { name, value, fault } = field;
    if (fault !== '') {
      const what = fault === 'h2_field_name' ? 'a field name' : `the value of ${name}`;
      this.#malformed = new Malformed(fault, `${what} has characters that may not stand there (RFC 9113 §8.2.1)`);
    } else if (name.charCodeAt(0) === 58) this.#pseudo(name, value);
    else this.#field(name, value);
  }

  #pseudo(name: string, value: string): void {
    const known =
      this.#kind === 'request'
        ? name === ':method' || name === ':scheme' || name === ':path' || name === ':authority'
        : this.#kind === 'response' && name === ':status';
    if (!known || this.#regular) {
      this.#bad('h2_pseudo_field', `the pseudo-field ${name} may not stand there (RFC 9113 §8.3)`);
      return;
    }
    const twice = `${name} stands there twice (RFC 9113 §8.3)`;
    if (name === ':method') {
      if (this.#method !== undefined) this.#bad('h2_pseudo_field', twice);
      this.#method = value;
    } else if (name === ':scheme') {
      if (this.#scheme !== undefined) this.#bad('h2_pseudo_field', twice);
      this.#scheme = value;
    } else if (name === ':path') {
      if (this.#path !== undefined) this.#bad('h2_pseudo_field', twice);
      this.#path = value;
    } else if (name === ':authority') {
      if (this.#authority !== undefined) this.#bad('h2_pseudo_field', twice);
      this.#authority = value;
    } else {
      if (this.#status !== undefined) this.#bad('h2_pseudo_field', twice);
      this.#status = value;
    }
  }

  #field(name: string, value: string): void {
    this.#regular = true;
    this.#fields++;
    if (FORBIDDEN.has(name) || (name === 'te' && value !== 'trailers')) {
      this.#bad('h2_connection_field', `${name} belongs to a connection of HTTP/1.1 (RFC 9113 §8.2.2)`);
      return;
    }
    if (name === 'cookie') {
      // One line again, as servers behind HTTP/1.1 expect it (RFC 9113 §8.2.3).
      this.#cookie = this.#cookie === '' ? value : `${this.#cookie}; ${value}`;
      return;
    }
    if (name === 'host' && this.#kind === 'request') {
      if (this.#host !== undefined) this.#bad('host_repeated', 'more than one Host field');
      this.#host = value;
      return;
    }
    this.#lines += `${name}: ${value}\r\n`;
  }

  #bad(kind: string, message: string): void {
    this.#malformed ??= new Malformed(kind, message);
  }

  /** The request of the block; `ended`: nothing follows it. */
  request(limits: RequestLimits, ended: boolean): Request | HttpFault | Malformed {
    const fault = this.#tooLarge(limits);
    if (fault !== undefined) return fault;
    const method = this.#method ?? '';
    const connect = method === 'CONNECT';
    const path = this.#path ?? '';
    if (this.#malformed !== undefined) return this.#malformed;
    if (method === '') return new Malformed('h2_pseudo_field', 'no :method (RFC 9113 §8.3.1)');
    if (connect !== (this.#path === undefined) || connect !== (this.#scheme === undefined))
      return new Malformed(
        'h2_pseudo_field',
        ':path and :scheme belong to every request but CONNECT (RFC 9113 §8.3.1)',
      );
    if (!connect && this.#scheme !== 'http' && this.#scheme !== 'https')
      return new Malformed('h2_pseudo_field', ':scheme is neither http nor https');
    if (!connect && path.charCodeAt(0) !== 47 && !(path === '*' && method === 'OPTIONS'))
      return new Malformed('h2_pseudo_field', ':path does not start with / (RFC 9113 §8.3.1)');
    const authority = this.#authority ?? this.#host;
    if (this.#host !== undefined && this.#host.toLowerCase() !== authority?.toLowerCase())
      return new Malformed('host_mismatch', ':authority and Host name different hosts (RFC 9113 §8.3.1)');
    const host = authority === undefined ? '' : `Host: ${authority}\r\n`;
    const cookie = this.#cookie === '' ? '' : `cookie: ${this.#cookie}\r\n`;
    const target = connect ? (authority ?? '') : path;
    const text = `${method} ${target} HTTP/1.1\r\n${host}${this.#lines}${cookie}\r\n`;
    const request = parseRequest(bytesOf(text), 0, text.length, limits);
    if (request instanceof HttpFault) return request;
    if (ended) {
      if (request.length > 0) return mismatch('Content-Length promises a body, and there is none');
      request.length = LENGTH_NONE;
      request.expectContinue = false;
    } else if (request.length === LENGTH_NONE) {
      request.length = LENGTH_CHUNKED;
      request.expectContinue = request.get('expect') !== undefined;
    }
    return request;
  }

  /** The response of the block, to a request of this method. */
  response(method: string, limits: ResponseLimits, ended: boolean): Response | HttpFault | Malformed {
    if (this.#size > this.#limit || this.#fields > limits.fields)
      return new HttpFault(
        'response_head_too_large',
        'upstream_protocol',
        'the response head is larger than limits.head',
      );
    if (this.#malformed !== undefined) return this.#malformed;
    const status = this.#status ?? '';
    if (!/^[1-9]\d\d$/.test(status) || status === '101')
      return new Malformed('h2_pseudo_field', 'no :status, or none that may be (RFC 9113 §8.3.2)');
    const cookie = this.#cookie === '' ? '' : `cookie: ${this.#cookie}\r\n`;
    const text = `HTTP/1.1 ${status} \r\n${this.#lines}${cookie}\r\n`;
    const response = parseResponse(bytesOf(text), 0, text.length, method, limits);
    if (response instanceof HttpFault || response.status < 200) return response;
    const bodiless = method === 'HEAD' || response.status === 204 || response.status === 304;
    if (bodiless) response.length = LENGTH_NONE;
    else if (ended) {
      if (response.contentLength > 0) return mismatch('Content-Length promises a body, and there is none');
      response.length = 0;
    } else if (response.contentLength < 0) response.length = LENGTH_CHUNKED;
    return response;
  }

  /** The trailers of the block, as lines with CRLF that may be forwarded. `limit`: octets. */
  trailers(limits: { readonly fields: number; readonly trailers: number }): string | HttpFault | Malformed {
    if (this.#size > this.#limit) {
      return new HttpFault(
        'trailers_too_large',
        'head_too_large',
        `more than ${limits.trailers} bytes of trailers (limits.trailers)`,
      );
    }
    if (this.#malformed !== undefined) return this.#malformed;
    const text = `${this.#lines}\r\n`;
    return readTrailers(bytesOf(text), text.length, limits.fields);
  }

  #tooLarge({ head, fields }: RequestLimits): HttpFault | undefined {
    if (this.#size <= this.#limit && this.#fields <= fields) return undefined;
    const what =
      this.#size > this.#limit
        ? `the head is larger than ${head} bytes (limits.head)`
        : `more than ${fields} field lines (limits.fields)`;
    return new HttpFault(this.#size > this.#limit ? 'head_too_large' : 'too_many_fields', 'head_too_large', what);
  }
}

/** A body that is longer or shorter than Content-Length says (RFC 9113 §8.1.1). */
export function mismatch(what: string): Malformed {
  return new Malformed('h2_length_mismatch', `${what} (RFC 9113 §8.1.1)`);
}
