/** Stable, non-cryptographic hashing of strings and numbers: the same on every worker, node and restart. Pure. */

function mix(hash: number, block: number): number {
  let k = Math.imul(block, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number, bytes: number): number {
  let h = hash ^ bytes;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * MurmurHash3 x86_32 (Appleby, 2011) of a string's UTF-16LE bytes → 0 … 2³²-1. Well spread, but whoever knows the seed
 * can find collisions: use it to spread load, never to authenticate.
 */
export function hashString(text: string, seed = 0): number {
  const even = text.length & ~1;
  let h = seed | 0;
  for (let i = 0; i < even; i += 2) h = mix(h, text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16));
  if (even < text.length) {
    let k = Math.imul(text.charCodeAt(even), 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
  }
  return finish(h, text.length * 2);
}

/** MurmurHash3 x86_32 of one 32-bit number (its low 32 bits) → 0 … 2³²-1. */
export function hashNumber(value: number, seed = 0): number {
  return finish(mix(seed | 0, value | 0), 4);
}
