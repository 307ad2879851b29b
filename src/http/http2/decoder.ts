/** Decoding header blocks (RFC 7541). One decoder per connection, for its dynamic table lives as long. */
import { huffmanDecode } from './huffman.ts';
import { fieldFault, type HpackField, STATIC_TABLE } from './table.ts';

/** Who takes the fields, in order. */
export type FieldVisitor = (field: HpackField) => void;

/** What an entry weighs beyond its octets (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD = 32;
const STATIC_ENTRIES = STATIC_TABLE.length - 1;
const MAX_INTEGER = 2 ** 28;

let plain = Buffer.allocUnsafeSlow(4096);

/** Octets of a field as the limits count them. */
export function fieldSize(field: HpackField): number {
  return field.name.length + field.value.length + ENTRY_OVERHEAD;
}

/** See the file's head. */
export class HpackDecoder {
  /** What we have told the peer that its table may have. */
  readonly #mostTable: number;
  #tableLimit: number;
  /** Newest last. */
  readonly #table: HpackField[] = [];
  #tableSize = 0;
  #at = 0;
  #buffer: Buffer = plain;
  #end = 0;
  #broken = false;

  constructor(tableSize: number) {
    this.#mostTable = tableSize;
    this.#tableLimit = tableSize;
  }

  /** Decodes a whole block. False: it is no valid block, and nothing that follows on this connection can be understood. */
  decode(buffer: Buffer, start: number, end: number, visit: FieldVisitor): boolean {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
    this.#broken = false;
    let fields = false;
    while (this.#at < this.#end && !this.#broken) {
      const first = buffer[this.#at] as number;
      if ((first & 0x80) !== 0) {
        const field = this.#entry(this.#integer(7));
        if (field === undefined) return false;
        visit(field);
      } else if ((first & 0xe0) === 0x20) {
        // A change of the table's size stands before the first field only (RFC 7541 §4.2).
        const size = this.#integer(5);
        if (fields || this.#broken || size > this.#mostTable) return false;
        this.#tableLimit = size;
        this.#evict(0);
        continue;
      } else {
        const indexed = (first & 0xc0) === 0x40;
        const field = this.#literal(this.#integer(indexed ? 6 : 4));
        if (field === undefined) return false;
        if (indexed) this.#add(field);
        visit(field);
      }
      fields = true;
    }
    return !this.#broken;
  }

  #literal(nameIndex: number): HpackField | undefined {
    if (this.#broken) return undefined;
    const name = nameIndex === 0 ? this.#string() : this.#entry(nameIndex)?.name;
    if (name === undefined) return undefined;
    const value = this.#string();
    return this.#broken ? undefined : { name, value, fault: fieldFault(name, value) };
  }

  #entry(index: number): HpackField | undefined {
    if (index === 0 || this.#broken) return undefined;
    return index <= STATIC_ENTRIES ? STATIC_TABLE[index] : this.#table[this.#table.length - (index - STATIC_ENTRIES)];
  }

  #add(field: HpackField): void {
    const size = fieldSize(field);
    this.#evict(size);
    if (size > this.#tableLimit) return;
    this.#table.push(field);
    this.#tableSize += size;
  }

  /** Makes room; what is larger than the table empties it (RFC 7541 §4.4). */
  #evict(room: number): void {
    let gone = 0;
    while (gone < this.#table.length && this.#tableSize + room > this.#tableLimit)
      this.#tableSize -= fieldSize(this.#table[gone++] as HpackField);
    if (gone > 0) this.#table.splice(0, gone);
  }

  #integer(prefixBits: number): number {
    const buffer = this.#buffer;
    const most = (1 << prefixBits) - 1;
    let value = (buffer[this.#at++] as number) & most;
    if (value < most) return value;
    for (let scale = 1; ; scale *= 128) {
      if (this.#at >= this.#end || scale > MAX_INTEGER) return this.#fail();
      const octet = buffer[this.#at++] as number;
      value += (octet & 127) * scale;
      if ((octet & 128) === 0) return value > MAX_INTEGER ? this.#fail() : value;
    }
  }

  #string(): string {
    if (this.#at >= this.#end) {
      this.#fail();
      return '';
    }
    const buffer = this.#buffer;
    const coded = ((buffer[this.#at] as number) & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    if (this.#broken || length > this.#end - start) {
      this.#fail();
      return '';
    }
    this.#at += length;
    if (!coded) return buffer.toString('latin1', start, start + length);
    if (plain.length < 2 * length) plain = Buffer.allocUnsafeSlow(2 * length);
    const octets = huffmanDecode(buffer, start, start + length, plain);
    if (octets < 0) {
      this.#fail();
      return '';
    }
    return plain.toString('latin1', 0, octets);
  }

  #fail(): number {
    this.#broken = true;
    return 0;
  }
}
