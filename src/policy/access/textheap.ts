/** Pairs of short texts as bytes, one behind the other: a million of them cost their bytes and no objects. */

const FIRST_BYTES = 4096;
/** Two lengths before each pair. */
const HEAD_BYTES = 4;
/** A heap with less in vain is not worth moving. */
const WASTE_MIN = 65_536;

const encoder = new TextEncoder();

/** A heap of pairs; texts are at most 65,535 bytes. An offset stays good until `moved` is called. */
export class TextHeap {
  #bytes = Buffer.alloc(FIRST_BYTES);
  #end = 0;
  #waste = 0;
  readonly #moved: (to: (at: number) => number) => void;
  readonly #key = Buffer.alloc(65_536);

  /** `moved` is told how offsets change when the heap has moved together. */
  constructor(moved: (to: (at: number) => number) => void) {
    this.#moved = moved;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes.byteLength + this.#key.byteLength;
  }

  /** Adds a pair; returns its offset. */
  add(first: string, second: string): number {
    if (this.#waste > WASTE_MIN && this.#waste > this.#end / 2) this.#compact();
    const need = HEAD_BYTES + 3 * (first.length + second.length);
    while (this.#end + need > this.#bytes.length) this.#grow(this.#end + need);
    const at = this.#end;
    const a = this.#bytes.write(first, at + HEAD_BYTES, 'utf8');
    const b = this.#bytes.write(second, at + HEAD_BYTES + a, 'utf8');
    this.#bytes.writeUInt16LE(a, at);
    this.#bytes.writeUInt16LE(b, at + 2);
    this.#end = at + HEAD_BYTES + a + b;
    return at;
  }

  /** The pair there is not needed any more; it stays readable until the next `add`. */
  drop(at: number): void {
    this.#waste += this.#size(at);
    this.#bytes.writeUInt16LE(this.#bytes.readUInt16LE(at + 2) | DROPPED, at + 2);
  }

  first(at: number): string {
    return this.#bytes.toString('utf8', at + HEAD_BYTES, at + HEAD_BYTES + this.#bytes.readUInt16LE(at));
  }

  second(at: number): string {
    const from = at + HEAD_BYTES + this.#bytes.readUInt16LE(at);
    return this.#bytes.toString('utf8', from, from + (this.#bytes.readUInt16LE(at + 2) & ~DROPPED));
  }

  firstIs(at: number, text: string): boolean {
    const length = encoder.encodeInto(text, this.#key).written;
    const from = at + HEAD_BYTES;
    if (this.#bytes.readUInt16LE(at) !== length) return false;
    return this.#bytes.compare(this.#key, 0, length, from, from + length) === 0;
  }

  /** Hash of the first text there. */
  hash(at: number): number {
    const from = at + HEAD_BYTES;
    return fnv(this.#bytes, from, from + this.#bytes.readUInt16LE(at));
  }

  /** Hash of a text, as `hash` tells it. */
  hashOf(text: string): number {
    return fnv(this.#key, 0, encoder.encodeInto(text, this.#key).written);
  }

  #size(at: number): number {
    return HEAD_BYTES + this.#bytes.readUInt16LE(at) + (this.#bytes.readUInt16LE(at + 2) & ~DROPPED);
  }

  #grow(least: number): void {
    const next = Buffer.alloc(Math.max(least, Math.ceil(this.#bytes.length * 1.5)));
    this.#bytes.copy(next, 0, 0, this.#end);
    this.#bytes = next;
  }

  #compact(): void {
    const old = this.#bytes;
    const to = new Map<number, number>();
    let end = 0;
    const next = Buffer.alloc(Math.max(FIRST_BYTES, this.#end - this.#waste + WASTE_MIN));
    for (let at = 0; at < this.#end; ) {
      const size = this.#size(at);
      if ((old.readUInt16LE(at + 2) & DROPPED) === 0) {
        old.copy(next, end, at, at + size);
        to.set(at, end);
        end += size;
      }
      at += size;
    }
    this.#bytes = next;
    this.#end = end;
    this.#waste = 0;
    this.#moved((at) => to.get(at) as number);
  }
}

/** Marks a pair that was dropped, in its second length. */
const DROPPED = 0x8000;

/** FNV-1a, 32 bits. */
function fnv(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash >>> 0;
}
