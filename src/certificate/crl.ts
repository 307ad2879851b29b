/** Revocation lists (RFC 5280 §5): as much of them, and of certificates, as tells whether a certificate is on one. */

/** A revocation list. */
export interface RevocationList {
  /** DER of the issuer's name, in hexadecimal. */
  readonly issuer: string;
  /** Serial numbers of what it has revoked, in hexadecimal. */
  readonly serials: ReadonlySet<string>;
  /** When the next one is due, in milliseconds since 1970; infinite where it does not say. */
  readonly nextUpdate: number;
}

const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
/** `[0]`, explicit: the version of a certificate. */
const VERSION = 0xa0;

/** An element of DER: where it begins, where its content does, and where both end. */
interface Element {
  readonly tag: number;
  readonly from: number;
  readonly content: number;
  readonly to: number;
}

/** Reads elements one after the other. Throws an `Error` where there is no whole one. */
class Reader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Tag of the next one; -1: there is none. */
  get next(): number {
    return this.#at < this.#end ? (this.#bytes[this.#at] as number) : -1;
  }

  take(tag: number): Element {
    const from = this.#at;
    let content = from + 2;
    let size = this.#bytes[from + 1] ?? 0;
    if (size >= 0x80) {
      const octets = size & 0x7f;
      if (octets === 0 || octets > 4 || content + octets > this.#end) throw new Error('it is no DER');
      size = this.#bytes.readUIntBE(content, octets);
      content += octets;
    }
    const to = content + size;
    if (this.next !== tag || to > this.#end) throw new Error('it is no DER of the kind that was expected');
    this.#at = to;
    return { tag, from, content, to };
  }

  within(tag: number): Reader {
    const { content, to } = this.take(tag);
    return new Reader(this.#bytes, content, to);
  }

  hex({ from, to }: { from: number; to: number }): string {
    return this.#bytes.toString('hex', from, to);
  }

  /** A time, in milliseconds since 1970. */
  time(): number {
    const { tag, content, to } = this.take(this.next === UTC_TIME ? UTC_TIME : GENERALIZED_TIME);
    const text = this.#bytes.toString('latin1', content, to);
    const full = tag === UTC_TIME ? `${Number(text.slice(0, 2)) < 50 ? 20 : 19}${text}` : text;
    const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? [];
    return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  }
}

/** The lists in a PEM text. Throws an `Error` when one cannot be read. */
export function readRevocationLists(text: string): RevocationList[] {
  return blocks(text, 'X509 CRL').map((one) => {
    const bytes = Buffer.from(one.replace(/-----[A-Z0-9 ]+-----/g, ''), 'base64');
    const list = new Reader(bytes).within(SEQUENCE).within(SEQUENCE);
    if (list.next === INTEGER) list.take(INTEGER);
    list.take(SEQUENCE);
    const issuer = list.hex(list.take(SEQUENCE));
    list.time();
    const due = list.next === UTC_TIME || list.next === GENERALIZED_TIME ? list.time() : Number.POSITIVE_INFINITY;
    const serials = new Set<string>();
    const revoked = list.next === SEQUENCE ? list.within(SEQUENCE) : undefined;
    while (revoked !== undefined && revoked.next === SEQUENCE) {
      const { content, to } = revoked.within(SEQUENCE).take(INTEGER);
      serials.add(revoked.hex({ from: content, to }));
    }
    return { issuer, serials, nextUpdate: due };
  });
}

/** By what a list names a certificate: DER of its issuer's name, and its serial number, both in hexadecimal. */
export function listedAs(certificate: Buffer): { issuer: string; serial: string } {
  const body = new Reader(certificate).within(SEQUENCE).within(SEQUENCE);
  if (body.next === VERSION) body.take(VERSION);
  const { content, to } = body.take(INTEGER);
  body.take(SEQUENCE);
  return { serial: body.hex({ from: content, to }), issuer: body.hex(body.take(SEQUENCE)) };
}

/** The blocks of this kind in a PEM text. */
export function blocks(text: string, label: string): string[] {
  return text.match(new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`, 'g')) ?? [];
}
