/**
 * HMAC-SHA256 (RFC 2104, FIPS 180-4) of short texts under one key. A call into the crypto library costs more than the two
 * blocks it works on here, and the state after the key's own blocks is worked out once; measured, that is a fourth of the
 * time. Held to the library's results by a property test.
 */
import { createHash, createHmac } from 'node:crypto';

const BLOCK = 64;
/** What fits into one block beside its padding. */
const SHORT = 55;

const fraction = (root: number): number => ((root - Math.floor(root)) * 2 ** 32) | 0;
const primes = (count: number): number[] => {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
};
const ROUNDS = Int32Array.from(primes(64), (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)));

const words = new Int32Array(64);

/** One block in `words[0..15]` into `state` (FIPS 180-4 §6.2.2). */
function compress(state: Int32Array): void {
  const w = words;
  const k = ROUNDS;
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] as number;
    const y = w[i - 2] as number;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = ((w[i - 16] as number) + s0 + (w[i - 7] as number) + s1) | 0;
  }
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  let f = state[5] as number;
  let g = state[6] as number;
  let h = state[7] as number;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (k[i] as number) + (w[i] as number)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = ((state[0] as number) + a) | 0;
  state[1] = ((state[1] as number) + b) | 0;
  state[2] = ((state[2] as number) + c) | 0;
  state[3] = ((state[3] as number) + d) | 0;
  state[4] = ((state[4] as number) + e) | 0;
  state[5] = ((state[5] as number) + f) | 0;
  state[6] = ((state[6] as number) + g) | 0;
  state[7] = ((state[7] as number) + h) | 0;
}

/** The state after the key, padded with `fill`, as first block. */
function afterKey(key: Buffer, fill: number): Int32Array {
  const state = Int32Array.from(START);
  for (let i = 0; i < 16; i++) {
    let word = 0;
    for (let j = 0; j < 4; j++) word = (word << 8) | ((key[4 * i + j] ?? 0) ^ fill);
    words[i] = word;
  }
  compress(state);
  return state;
}

/** HMAC-SHA256 under one key. */
export class Hmac {
  readonly #key: string;
  readonly #inner: Int32Array;
  readonly #outer: Int32Array;
  readonly #state = new Int32Array(8);
  readonly #digest = Buffer.alloc(32);

  constructor(key: string) {
    this.#key = key;
    const bytes = Buffer.from(key);
    const block = bytes.length > BLOCK ? createHash('sha256').update(bytes).digest() : bytes;
    this.#inner = afterKey(block, 0x36);
    this.#outer = afterKey(block, 0x5c);
  }

  /** The digest of a Latin-1 text; the buffer is good until the next call. */
  digest(text: string): Buffer {
    if (text.length > SHORT) return createHmac('sha256', this.#key).update(text, 'latin1').digest();
    const w = words;
    w.fill(0, 0, 16);
    const { length } = text;
    for (let i = 0; i < length; i++) {
      w[i >> 2] = (w[i >> 2] as number) | ((text.charCodeAt(i) & 0xff) << (24 - 8 * (i & 3)));
    }
    w[length >> 2] = (w[length >> 2] as number) | (0x80 << (24 - 8 * (length & 3)));
    w[15] = (BLOCK + length) * 8;
    const state = this.#state;
    state.set(this.#inner);
    compress(state);
    w.fill(0, 0, 16);
    w.set(state);
    w[8] = 0x80 << 24;
    w[15] = (BLOCK + 32) * 8;
    state.set(this.#outer);
    compress(state);
    const digest = this.#digest;
    for (let i = 0; i < 8; i++) {
      const word = state[i] as number;
      digest[4 * i] = word >>> 24;
      digest[4 * i + 1] = (word >>> 16) & 0xff;
      digest[4 * i + 2] = (word >>> 8) & 0xff;
      digest[4 * i + 3] = word & 0xff;
    }
    return digest;
  }
}
