/**
 * Encoding header blocks (RFC 7541), without a dynamic table, as HAProxy does: no state that grows with what peers send, and
 * no secret of one client whose length another could measure through it. Literals go as they are.
 */
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
const SP = 32;
const HTAB = 9;

/** Each octet as a character. */
const OCTETS = Array.from({ length: 256 }, (_, octet) => String.fromCharCode(octet));

/** An integer with a prefix of so many bits (RFC 7541 §5.1). */
function integer(value: number, prefixBits: number, pattern: number): string {
  const most = (1 << prefixBits) - 1;
  if (value < most) return OCTETS[pattern | value] as string;
  let text = OCTETS[pattern | most] as string;
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) text += OCTETS[(rest & 127) | 128];
  return text + OCTETS[rest];
}

const string = (text: string): string => integer(text.length, 7, 0) + text;

/** Names, as they were written, of which is kept what is known; and their length. */
const NAMES_MAX = 1024;
const NAME_LENGTH_MAX = 64;

/** How a field of this name begins. */
function beginning(name: string): string {
  const secret = SECRET.has(name) ? 0x10 : 0;
  const index = STATIC_NAMES.get(name);
  return index === undefined ? (OCTETS[secret] as string) + string(name) : integer(index, 4, secret);
}

/** What is known of a name. */
interface Name {
  /** How its fields begin in a block. */
  readonly begins: string;
  /** HTTP/2 has no place for it. */
  readonly leftOut: boolean;
}

const names = new Map<string, Name>();

function nameOf(spelled: string): Name {
  const known = names.get(spelled);
  if (known !== undefined) return known;
  const name = spelled.toLowerCase();
  const made = { begins: beginning(name), leftOut: LEFT_OUT.has(name) };
  if (name.length <= NAME_LENGTH_MAX) {
    if (names.size >= NAMES_MAX) names.clear();
    // A piece of a head would keep all of it alive.
    names.set(Buffer.from(spelled, 'latin1').toString('latin1'), made);
  }
  return made;
}

/** Composes a block as a text of one character an octet; take it before the next `begin`. */
export class HpackEncoder {
  /** The block so far. */
  block = '';
  #shrunk = false;

  /** The peer has made its table smaller, and must hear in the next block that we follow (RFC 7541 §4.2). */
  shrink(): void {
    this.#shrunk = true;
  }

  begin(): void {
    this.block = this.#shrunk ? (OCTETS[0x20] as string) : '';
    this.#shrunk = false;
  }

  /** The pseudo-field of a response. */
  status(status: number): void {
    const index = STATUS.get(status);
    this.block +=
      index === undefined ? (OCTETS[STATUS_NAME] as string) + string(String(status)) : (OCTETS[0x80 | index] as string);
  }

  /** An entry of the static table, whole. */
  indexed(index: number): void {
    this.block += OCTETS[0x80 | index] as string;
  }

  /** A field; its name in lower case. */
  field(name: string, value: string): void {
    this.block += beginning(name) + string(value);
  }

  /** Field lines with CRLF, from `at` to the empty line or the end; names become lower case, and what HTTP/2 has no place for stays behind. */
  lines(text: string, at = 0): void {
    let from = at;
    while (from < text.length && text.charCodeAt(from) !== CR) {
      let end = text.indexOf('\r\n', from);
      if (end < 0) end = text.length;
      const colon = text.indexOf(':', from);
      const name = colon > from && colon < end ? nameOf(text.slice(from, colon)) : undefined;
      if (name !== undefined && !name.leftOut) {
        let start = colon + 1;
        let stop = end;
        while (start < stop && isSpace(text.charCodeAt(start))) start++;
        while (stop > start && isSpace(text.charCodeAt(stop - 1))) stop--;
        this.block += name.begins + string(text.slice(start, stop));
      }
      from = end + 2;
    }
  }
}

const isSpace = (code: number): boolean => code === SP || code === HTAB;
