/**
 * Encoding header blocks (RFC 7541), without a dynamic table, as HAProxy does: no state that grows with what peers send, and
 * no secret of one client whose length another could measure through it. Literals go as they are.
 */
import { trimOws } from '../fields.ts';
import { STATIC_NAMES } from './table.ts';

/** Fields that nobody on the way may keep in a table (RFC 7541 §7.1.3). */
const SECRET: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'api-key',
]);
const STATUS: ReadonlyMap<number, number> = new Map([
  [200, 8],
  [204, 9],
  [206, 10],
  [304, 11],
  [400, 12],
  [404, 13],
  [500, 14],
]);
const STATUS_NAME = 8;
/** What HTTP/1.1 says about its connections and framing, and `host`, which is a pseudo-field here (RFC 9113 §8.2.2). */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
const CR = 13;

/** Composes a block in a buffer that grows as needed and is used again; take it before the next `begin`. */
export class HpackEncoder {
  buffer: Buffer = Buffer.allocUnsafeSlow(8192);
  /** Octets written. */
  length = 0;
  #shrunk = false;

  /** The peer has made its table smaller, and must hear in the next block that we follow (RFC 7541 §4.2). */
  shrink(): void {
    this.#shrunk = true;
  }

  begin(): void {
    this.length = 0;
    if (!this.#shrunk) return;
    this.#shrunk = false;
    this.buffer[this.length++] = 0x20;
  }

  /** The pseudo-field of a response. */
  status(status: number): void {
    const index = STATUS.get(status);
    this.#room(8);
    if (index !== undefined) this.buffer[this.length++] = 0x80 | index;
    else {
      this.buffer[this.length++] = STATUS_NAME;
      this.#string(String(status));
    }
  }

  /** An entry of the static table, whole. */
  indexed(index: number): void {
    this.#room(1);
    this.buffer[this.length++] = 0x80 | index;
  }

  /** A field; the name in lower case. */
  field(name: string, value: string): void {
    const secret = SECRET.has(name) ? 0x10 : 0;
    const index = STATIC_NAMES.get(name);
    this.#room(name.length + value.length + 16);
    if (index !== undefined) this.#integer(index, 4, secret);
    else {
      this.buffer[this.length++] = secret;
      this.#string(name);
    }
    this.#string(value);
  }

  /** Field lines with CRLF, from `at` to the empty line or the end; names become lower case, and what HTTP/2 has no place for stays behind. */
  lines(text: string, at = 0): void {
    let from = at;
    while (from < text.length && text.charCodeAt(from) !== CR) {
      let end = text.indexOf('\r\n', from);
      if (end < 0) end = text.length;
      const colon = text.indexOf(':', from);
      if (colon > from && colon < end) {
        const name = text.slice(from, colon).toLowerCase();
        if (!LEFT_OUT.has(name)) this.field(name, trimOws(text.slice(colon + 1, end)));
      }
      from = end + 2;
    }
  }

  #string(text: string): void {
    this.#integer(text.length, 7, 0);
    this.buffer.write(text, this.length, 'latin1');
    this.length += text.length;
  }

  #integer(value: number, prefixBits: number, pattern: number): void {
    const most = (1 << prefixBits) - 1;
    if (value < most) {
      this.buffer[this.length++] = pattern | value;
      return;
    }
    this.buffer[this.length++] = pattern | most;
    let rest = value - most;
    while (rest >= 128) {
      this.buffer[this.length++] = (rest & 127) | 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.length++] = rest;
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(2 * (this.length + bytes));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}
