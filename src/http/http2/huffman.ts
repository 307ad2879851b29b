/** The Huffman code of HPACK (RFC 7541 §5.2 and appendix B): canonical, so that the lengths of its codes say all. */

/** Bits of the code of each octet; EOS, which must never stand in a string, has 30. */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26,
];
const EOS = 256;
const EOS_BITS = 30;

const CODES = new Uint32Array(257);
/** A binary tree: child of node n for bit b at 2n + b; a leaf is the octet with its sign turned, less one. */
const TREE = new Int16Array(2 * 257);

function build(): void {
  const lengths = [...LENGTHS, EOS_BITS];
  const order = lengths
    .map((_, octet) => octet)
    .sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b);
  let code = 0;
  let bits = lengths[order[0] as number] as number;
  let nodes = 1;
  for (const octet of order) {
    const length = lengths[octet] as number;
    code *= 2 ** (length - bits);
    bits = length;
    CODES[octet] = code;
    let node = 0;
    for (let shift = length - 1; shift >= 0; shift--) {
      const at = 2 * node + ((code >>> shift) & 1);
      if (shift === 0) TREE[at] = -octet - 1;
      else {
        if (TREE[at] === 0) TREE[at] = nodes++;
        node = TREE[at] as number;
      }
    }
    code++;
  }
}
build();

// A step takes four bits at once: from a state (a node of the tree) to the next one, with at most one octet on the way,
// because the shortest code has five bits.
const STATES = 257;
const NEXT = new Int16Array(STATES * 16);
/** Octet that the step completes, or -1. */
const OUT = new Int16Array(STATES * 16).fill(-1);
/** Bits that may be left over at the end: fewer than eight, all of them ones. */
const ENDS = new Uint8Array(STATES);

function buildSteps(): void {
  for (let state = 0; state < STATES; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      for (let shift = 3; shift >= 0; shift--) {
        const child = TREE[2 * node + ((nibble >> shift) & 1)] as number;
        if (child >= 0) node = child;
        else if (-child - 1 === EOS) {
          node = -1;
          break;
        } else {
          OUT[16 * state + nibble] = -child - 1;
          node = 0;
        }
      }
      NEXT[16 * state + nibble] = node;
    }
  }
  let node = 0;
  for (let ones = 0; ones < 8; ones++) {
    ENDS[node] = 1;
    node = TREE[2 * node + 1] as number;
  }
}
buildSteps();

/**
 * Decodes `buffer[start, end)` into `out`, which must have room for 8/5 of it. Returns how many octets came out; -1 when
 * the bits are no valid string: EOS within, or a rest that is not the start of EOS or is a whole octet long.
 */
export function huffmanDecode(buffer: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let i = start; i < end; i++) {
    const octet = buffer[i] as number;
    let step = 16 * state + (octet >> 4);
    let found = OUT[step] as number;
    if (found >= 0) out[length++] = found;
    state = NEXT[step] as number;
    if (state < 0) return -1;
    step = 16 * state + (octet & 15);
    found = OUT[step] as number;
    if (found >= 0) out[length++] = found;
    state = NEXT[step] as number;
    if (state < 0) return -1;
  }
  return ENDS[state] === 1 ? length : -1;
}

/** Encodes a text of one octet per character; for tests and clients, because we send strings as they are. */
export function huffmanEncode(text: string): Buffer {
  const out: number[] = [];
  let held = 0n;
  let bits = 0n;
  for (let i = 0; i < text.length; i++) {
    const octet = text.charCodeAt(i);
    const length = BigInt(LENGTHS[octet] as number);
    held = (held << length) | BigInt(CODES[octet] as number);
    bits += length;
    while (bits >= 8n) {
      bits -= 8n;
      out.push(Number((held >> bits) & 255n));
    }
    held &= (1n << bits) - 1n;
  }
  if (bits > 0n) out.push(Number(((held << (8n - bits)) | (255n >> bits)) & 255n));
  return Buffer.from(out);
}
