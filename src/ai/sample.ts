/**
 * Random places in long texts. Nobody outside may know where it will be looked, and every byte must be as likely to be seen as any
 * other, or what is dense is put where nobody looks.
 */
import { randomFillSync } from 'node:crypto';

/** State of sfc32 (C. Doty-Humphrey's Small Fast Chaotic, PractRand), from the system's randomness once in a process. */
const state = randomFillSync(new Uint32Array(4));

/** A whole number from 0 to below `end`, which is at most 2^32. */
export function randomBelow(end: number): number {
  const a = state[0] as number;
  const b = state[1] as number;
  const c = state[2] as number;
  const counter = state[3] as number;
  const sum = (a + b + counter) | 0;
  state[3] = counter + 1;
  state[0] = b ^ (b >>> 9);
  state[1] = c + (c << 3);
  state[2] = ((c << 21) | (c >>> 11)) + sum;
  return Math.floor(((sum >>> 0) / 0x1_0000_0000) * end);
}

/**
 * Where the n-th of `parts` windows begins in a text of `length`: anywhere in its stretch. It may reach into the next stretch, and
 * the last one goes on at the beginning of the text; so each byte is in one with the same probability.
 */
export function windowStart(length: number, part: number, parts: number): number {
  const stretch = length / parts;
  return Math.min(length - 1, Math.floor(stretch * part + randomBelow(Math.ceil(stretch))));
}
