/**
 * The chunked transfer coding (RFC 9112 §7.1), strictly: the size is hex digits only, every line ends in CRLF, extensions
 * are read and dropped, trailers are parsed like any field section.
 */
import { HEX } from './chars.ts';
import { EXTENSION_END, EXTENSION_FAULT, EXTENSION_START, nextExtensionState } from './extension.ts';
import { HttpFault } from './fault.ts';
import { readTrailers } from './trailers.ts';

/** Limits of a chunked body. */
export interface ChunkedLimits {
  /** Bytes of payload in all. */
  readonly body: number;
  /** Bytes of chunk extensions in all. */
  readonly chunkExtensions: number;
  /** Bytes of the trailer section. */
  readonly trailers: number;
  /** Field lines of the trailer section. */
  readonly fields: number;
}

/** Takes payload slices; a slice is valid during the call only. */
export interface PayloadSink {
  onPayload(buffer: Buffer, start: number, end: number): void;
}

const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILERS = 6;
const DONE = 7;

const bad = (kind: string, message: string) => new HttpFault(kind, 'bad_request', message);

/** Decodes one chunked body, whatever pieces it arrives in. */
export class ChunkedDecoder {
  /** Trailer lines with CRLF that may be forwarded; set when `done`. */
  trailers = '';
  readonly #limits: ChunkedLimits;
  #state = SIZE;
  #digits = 0;
  #left = 0;
  #total = 0;
  #extensions = 0;
  #extension = EXTENSION_START;
  #section: Buffer[] | undefined = undefined;
  #sectionBytes = 0;

  constructor(limits: ChunkedLimits) {
    this.#limits = limits;
  }

  get done(): boolean {
    return this.#state === DONE;
  }

  /** Takes bytes in, gives payload to `sink`. Returns the position behind what belongs to this body, or the fault. */
  decode(buffer: Buffer, start: number, end: number, sink: PayloadSink): number | HttpFault {
    let p = start;
    while (p < end) {
      switch (this.#state) {
        case SIZE: {
          const c = buffer[p] as number;
          const digit = HEX[c] as number;
          if (digit !== 255) {
            if (++this.#digits > 12) return bad('chunk_size', 'a chunk size has more than 12 digits (RFC 9112 §7.1)');
            this.#left = this.#left * 16 + digit;
            p++;
            break;
          }
          if (this.#digits === 0)
            return bad('chunk_size', 'a chunk does not start with its size in hex digits (RFC 9112 §7.1)');
          if (c === 13) this.#state = SIZE_LF;
          else if (c === 59) {
            this.#state = EXTENSION;
            this.#extension = EXTENSION_START;
          } else if (c === 10) return bad('bare_lf', 'a chunk size line ends in LF without CR (RFC 9112 §2.2)');
          else return bad('chunk_size', 'a chunk size is followed by neither CRLF nor an extension (RFC 9112 §7.1)');
          p++;
          break;
        }
        case EXTENSION: {
          const c = buffer[p++] as number;
          if (++this.#extensions > this.#limits.chunkExtensions) {
            return bad(
              'chunk_extensions',
              `more than ${this.#limits.chunkExtensions} bytes of chunk extensions (limits.chunkExtensions)`,
            );
          }
          this.#extension = nextExtensionState(this.#extension, c);
          if (this.#extension === EXTENSION_END) this.#state = SIZE_LF;
          else if (this.#extension === EXTENSION_FAULT) {
            if (c === 10) return bad('bare_lf', 'a chunk extension ends in LF without CR (RFC 9112 §2.2)');
            return bad('chunk_extensions', 'a chunk extension is not ;name or ;name=value (RFC 9112 §7.1.1)');
          }
          break;
        }
        case SIZE_LF: {
          if (buffer[p++] !== 10) return bad('bare_cr', 'a CR is not followed by LF (RFC 9112 §2.2)');
          this.#digits = 0;
          if (this.#left === 0) {
            this.#state = TRAILERS;
            break;
          }
          this.#total += this.#left;
          if (this.#total > this.#limits.body) {
            return new HttpFault(
              'body_too_large',
              'body_too_large',
              `the body is larger than ${this.#limits.body} bytes (limits.body)`,
            );
          }
          this.#state = DATA;
          break;
        }
        case DATA: {
          const take = Math.min(this.#left, end - p);
          sink.onPayload(buffer, p, p + take);
          p += take;
          this.#left -= take;
          if (this.#left === 0) this.#state = DATA_CR;
          break;
        }
        case DATA_CR:
          if (buffer[p++] !== 13) return bad('chunk_end', 'a chunk is longer than its size says (RFC 9112 §7.1)');
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (buffer[p++] !== 10) return bad('chunk_end', 'a chunk does not end in CRLF (RFC 9112 §7.1)');
          this.#state = SIZE;
          break;
        case TRAILERS: {
          const at = this.#trailerBytes(buffer, p, end);
          if (typeof at !== 'number') return at;
          p = at;
          break;
        }
        default:
          return p;
      }
    }
    return p;
  }

  /** The trailer section: usually the two bytes of its empty line, else collected until that line. */
  #trailerBytes(buffer: Buffer, start: number, end: number): number | HttpFault {
    if (this.#section === undefined && end - start >= 2 && buffer[start] === 13) {
      if (buffer[start + 1] !== 10) return bad('bare_cr', 'a CR is not followed by LF (RFC 9112 §2.2)');
      this.#state = DONE;
      return start + 2;
    }
    const section = this.#section ?? [];
    this.#section = section;
    const before = section.length > 0 ? Buffer.concat(section) : undefined;
    const all = before ? Buffer.concat([before, buffer.subarray(start, end)]) : buffer.subarray(start, end);
    let sectionEnd = -1;
    if (all.length >= 2 && all[0] === 13 && all[1] === 10) sectionEnd = 2;
    else {
      const at = all.indexOf('\r\n\r\n');
      if (at >= 0) sectionEnd = at + 4;
    }
    if ((sectionEnd < 0 ? all.length : sectionEnd) > this.#limits.trailers) {
      return new HttpFault(
        'trailers_too_large',
        'head_too_large',
        `more than ${this.#limits.trailers} bytes of trailers (limits.trailers)`,
      );
    }
    if (sectionEnd < 0) {
      const lf = all.indexOf(10);
      if (lf >= 0 && (lf === 0 || all[lf - 1] !== 13))
        return bad('bare_lf', 'a trailer line ends in LF without CR (RFC 9112 §2.2)');
      if (all[0] === 13 && all.length > 1) return bad('bare_cr', 'a CR is not followed by LF (RFC 9112 §2.2)');
      const piece = Buffer.from(buffer.subarray(start, end));
      section.length = 0;
      if (before) section.push(before);
      section.push(piece);
      this.#sectionBytes = all.length;
      return end;
    }
    const trailers = readTrailers(all, sectionEnd, this.#limits.fields);
    if (typeof trailers !== 'string') return trailers;
    this.trailers = trailers;
    const consumed = sectionEnd - this.#sectionBytes;
    this.#section = undefined;
    this.#state = DONE;
    return start + consumed;
  }
}

const HEX_DIGITS = Buffer.from('0123456789abcdef');

/** Writes `size` in hex and CRLF at `at`; returns the position behind it. */
export function writeChunkSize(out: Buffer, at: number, size: number): number {
  let shift = 0;
  for (let rest = size >>> 4; rest > 0; rest >>>= 4) shift += 4;
  let p = at;
  for (; shift >= 0; shift -= 4) out[p++] = HEX_DIGITS[(size >>> shift) & 15] as number;
  out[p++] = 13;
  out[p++] = 10;
  return p;
}
