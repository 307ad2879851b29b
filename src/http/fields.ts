/**
 * The field section of a head: strict parsing (RFC 9112 §5), lazy look-up, and copying on of what may travel. The bytes
 * are walked once; nothing is allocated per field but four small numbers.
 */
import type { Fields } from '../kernel/exchange.ts';
import { CLASS, LOWER, TOKEN } from './chars.ts';
import { HttpFault } from './fault.ts';
import { identify, KNOWN, NAMED_BY_CONNECTION, NOT_NAMED } from './known.ts';

const UNDERSCORE = 95;

function hasUnderscore(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (buffer[i] === UNDERSCORE) return true;
  return false;
}

const CR = 13;
const LF = 10;
const COLON = 58;
const SP = 32;
const HTAB = 9;
const DEL = 127;

/** 1 for the bytes that no field value has. */
const STOPS = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) STOPS[byte] = (byte >= SP && byte !== DEL) || byte === HTAB ? 0 : 1;

function lineFault(buffer: Buffer, at: number, nameStart: number): HttpFault {
  const c = buffer[at] as number;
  if (at === nameStart && (c === SP || c === HTAB)) {
    return new HttpFault('obs_fold', 'bad_request', 'a field line starts with whitespace (obs-fold, RFC 9112 §5.2)');
  }
  if (c === LF) return new HttpFault('bare_lf', 'bad_request', 'a line ends in LF without CR (RFC 9112 §2.2)');
  if (c === CR) return new HttpFault('missing_colon', 'bad_request', 'a field line has no colon (RFC 9112 §5)');
  if (at === nameStart && c === COLON) {
    return new HttpFault('empty_field_name', 'bad_request', 'a field line has an empty name (RFC 9112 §5)');
  }
  if (c === SP || c === HTAB) {
    return new HttpFault(
      'space_before_colon',
      'bad_request',
      'whitespace before the colon of a field line (RFC 9112 §5.1)',
    );
  }
  return new HttpFault(
    'invalid_field_name',
    'bad_request',
    'a field name has a character that is not a token (RFC 9110 §5.1)',
  );
}

function valueFault(c: number): HttpFault {
  if (c === LF) return new HttpFault('bare_lf', 'bad_request', 'a line ends in LF without CR (RFC 9112 §2.2)');
  if (c === CR) return new HttpFault('bare_cr', 'bad_request', 'a CR is not followed by LF (RFC 9112 §2.2)');
  return new HttpFault('invalid_field_value', 'bad_request', 'a field value has a control character (RFC 9110 §5.5)');
}

/** Members of a comma-separated list in lower case (RFC 9110 §5.6.1), empty ones left out. */
export function listMembers(list: string): string[] {
  const members: string[] = [];
  for (const part of list.split(',')) {
    const member = trimOws(part);
    if (member !== '') members.push(member.toLowerCase());
  }
  return members;
}

/** Without SP and HTAB around it. `String.trim` takes away more, NBSP for one: then what others refuse would pass here. */
export function trimOws(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && (text.charCodeAt(from) === SP || text.charCodeAt(from) === HTAB)) from++;
  while (to > from && (text.charCodeAt(to - 1) === SP || text.charCodeAt(to - 1) === HTAB)) to--;
  return text.slice(from, to);
}

/** Parsed field lines over one latin1 text. */
export class FieldSection implements Fields {
  /** The text that the offsets point into. */
  text = '';
  /** Four offsets a field: name start, name end, value start, value end. */
  readonly marks: number[] = [];
  /** The KNOWN bit of each field, 0 for others. */
  readonly kinds: number[] = [];
  /** Bits of the known fields seen. */
  seen = 0;
  /** Bits of the known fields seen more than once. */
  repeated = 0;
  /** Bits of the known fields seen with `_` for `-`: to us another field, to a CGI-like server behind us the same one. */
  underscored = 0;
  /** Where the field lines end in `text` (start of the empty line). */
  linesEnd = 0;

  /**
   * Walks field lines from `at` to the empty line that ends them. `origin` is where `text` will start in the buffer; the
   * caller has made sure that CRLF CRLF stands before the end of the buffer. Returns the position after the empty line.
   */
  parse(buffer: Buffer, at: number, origin: number, most: number): number | HttpFault {
    let p = at;
    const { marks, kinds } = this;
    for (;;) {
      if (buffer[p] === CR) {
        if (buffer[p + 1] !== LF) return valueFault(CR);
        this.linesEnd = p - origin;
        return p + 2;
      }
      if (kinds.length >= most) {
        return new HttpFault('too_many_fields', 'head_too_large', `more than ${most} field lines (limits.fields)`);
      }
      const nameStart = p;
      while (((CLASS[buffer[p] as number] as number) & TOKEN) !== 0) p++;
      if (p === nameStart || buffer[p] !== COLON) return lineFault(buffer, p, nameStart);
      const nameEnd = p++;
      while (buffer[p] === SP || buffer[p] === HTAB) p++;
      const valueStart = p;
      // Most bytes of a head are scanned here: four at once, while none of them ends the value. Behind what does is a line end more.
      while (
        ((STOPS[buffer[p] as number] as number) |
          (STOPS[buffer[p + 1] as number] as number) |
          (STOPS[buffer[p + 2] as number] as number) |
          (STOPS[buffer[p + 3] as number] as number)) ===
        0
      )
        p += 4;
      for (let c = buffer[p] as number; (c >= SP && c !== DEL) || c === HTAB; c = buffer[++p] as number);
      if (buffer[p] !== CR || buffer[p + 1] !== LF) return valueFault(buffer[p] as number);
      let valueEnd = p;
      while (valueEnd > valueStart && (buffer[valueEnd - 1] === SP || buffer[valueEnd - 1] === HTAB)) valueEnd--;
      p += 2;
      let kind = identify(buffer, nameStart, nameEnd);
      if (kind !== 0) {
        if (hasUnderscore(buffer, nameStart, nameEnd)) {
          this.underscored |= kind;
          kind = 0;
        } else {
          if ((this.seen & kind) !== 0) this.repeated |= kind;
          this.seen |= kind;
        }
      }
      kinds.push(kind);
      marks.push(nameStart - origin, nameEnd - origin, valueStart - origin, valueEnd - origin);
    }
  }

  get(lowerName: string): string | undefined {
    const at = this.#find(lowerName, 0);
    return at < 0 ? undefined : this.value(at);
  }

  count(lowerName: string): number {
    let found = 0;
    for (let at = this.#find(lowerName, 0); at >= 0; at = this.#find(lowerName, at + 1)) found++;
    return found;
  }

  each(visit: (name: string, value: string) => void): void {
    for (let i = 0; i < this.kinds.length; i++) {
      visit(this.text.slice(this.marks[4 * i], this.marks[4 * i + 1]), this.value(i));
    }
  }

  /** Value of the field line at this index. */
  value(index: number): string {
    return this.text.slice(this.marks[4 * index + 2], this.marks[4 * index + 3]);
  }

  /** Value of the first known field of this bit; undefined when it was not sent. */
  known(bit: number): string | undefined {
    if ((this.seen & bit) === 0) return undefined;
    return this.value(this.kinds.indexOf(bit));
  }

  /** Values of all known fields of this bit, joined as a list (RFC 9110 §5.3). */
  knownList(bit: number): string {
    if ((this.repeated & bit) === 0) return this.known(bit) ?? '';
    const values: string[] = [];
    for (let i = 0; i < this.kinds.length; i++) if (this.kinds[i] === bit) values.push(this.value(i));
    return values.join(', ');
  }

  /**
   * Marks the fields that `Connection` names, so that they stay behind (RFC 9110 §7.6.1) and are not seen any more. Framing,
   * Host and what trusted hops say cannot be named.
   */
  markConnectionNamed(options: string): void {
    const named = new Set(listMembers(options));
    const { kinds, marks, text } = this;
    for (let i = 0; i < kinds.length; i++) {
      const kind = kinds[i] as number;
      if ((kind & (NOT_NAMED | KNOWN.connection | KNOWN['keep-alive'] | KNOWN.upgrade)) !== 0) continue;
      if (!named.has(text.slice(marks[4 * i], marks[4 * i + 1]).toLowerCase())) continue;
      kinds[i] = NAMED_BY_CONNECTION;
      this.seen = (this.seen & ~kind) | NAMED_BY_CONNECTION;
      this.repeated &= ~kind;
    }
  }

  /** Field lines (with CRLF) whose kind is not in `drop`, exactly as they were written. */
  lines(drop: number): string {
    const { kinds, marks, text } = this;
    if (kinds.length === 0) return '';
    if ((this.seen & drop) === 0) return text.slice(marks[0], this.linesEnd);
    let out = '';
    let from = -1;
    for (let i = 0; i < kinds.length; i++) {
      if (((kinds[i] as number) & drop) === 0) {
        if (from < 0) from = marks[4 * i] as number;
      } else if (from >= 0) {
        out += text.slice(from, marks[4 * i]);
        from = -1;
      }
    }
    return from < 0 ? out : out + text.slice(from, this.linesEnd);
  }

  /** As `lines`, leaving out also what `keep` refuses (by lower-case name): for routes that change fields. */
  linesWhere(drop: number, keep: (lowerName: string) => boolean): string {
    const { kinds, marks, text } = this;
    let out = '';
    for (let i = 0; i < kinds.length; i++) {
      if (((kinds[i] as number) & drop) !== 0) continue;
      if (!keep(text.slice(marks[4 * i], marks[4 * i + 1]).toLowerCase())) continue;
      out += text.slice(marks[4 * i], i + 1 < kinds.length ? marks[4 * i + 4] : this.linesEnd);
    }
    return out;
  }

  #find(lowerName: string, from: number): number {
    const { kinds, marks, text } = this;
    for (let i = from; i < kinds.length; i++) {
      const start = marks[4 * i] as number;
      if ((marks[4 * i + 1] as number) - start !== lowerName.length) continue;
      let k = 0;
      while (k < lowerName.length && LOWER[text.charCodeAt(start + k)] === lowerName.charCodeAt(k)) k++;
      if (k === lowerName.length) return i;
    }
    return -1;
  }
}
