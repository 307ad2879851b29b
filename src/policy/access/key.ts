/**
 * The text of an API key: `gh_live_` or `gh_test_`, 192 random bits in base62, and a checksum of all before it, so that a
 * typo or a cut is told without a look-up, and secret scanners take nothing else for one. Pure.
 */
import { randomBytes } from 'node:crypto';

/** What a key is for; told by its prefix. */
export type KeyMode = 'live' | 'test';

/** For secret scanners. What it finds is a key if `keyFault` says nothing. */
export const KEY_PATTERN = /\bgh_(?:live|test)_[0-9A-Za-z]{39}\b/;

/** What every key of ours begins with. */
export const KEY_PREFIXES = { live: 'gh_live_', test: 'gh_test_' } as const satisfies Record<KeyMode, string>;

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PREFIX_LENGTH = 8;
const RANDOM_BYTES = 24;
/** 62^33 > 2^192. */
const RANDOM_LENGTH = 33;
/** 62^6 > 2^32. */
const CHECKSUM_LENGTH = 6;
/** Characters of a whole key. */
export const KEY_LENGTH = PREFIX_LENGTH + RANDOM_LENGTH + CHECKSUM_LENGTH;

/** Makes a key. `random` gives that many bytes fit for secrets. */
export function mintKey(mode: KeyMode, random: (bytes: number) => Uint8Array = randomBytes): string {
  let number = 0n;
  for (const byte of random(RANDOM_BYTES)) number = (number << 8n) | BigInt(byte);
  const body = KEY_PREFIXES[mode] + base62(number, RANDOM_LENGTH);
  return body + base62(BigInt(crc32(body, body.length)), CHECKSUM_LENGTH);
}

/** Makes a public id, such as `key_8fKq20Zb1xVh`: 71 random bits, in logs and commands instead of the key. */
export function mintKeyId(random: (bytes: number) => Uint8Array = randomBytes): string {
  let number = 0n;
  for (const byte of random(9)) number = (number << 8n) | BigInt(byte);
  return `key_${base62(number % 62n ** 12n, 12)}`;
}

/** Whether it begins as our keys do. What does not may be a key of another make. */
export function isOurs(credential: string): boolean {
  return credential.startsWith(KEY_PREFIXES.live) || credential.startsWith(KEY_PREFIXES.test);
}

/** What is wrong with the form of a key that begins as ours do; undefined when nothing is. Costs a tenth of a look-up. */
export function keyFault(credential: string): 'length' | 'character' | 'checksum' | undefined {
  if (credential.length !== KEY_LENGTH) return 'length';
  let sum = 0;
  for (let i = PREFIX_LENGTH; i < KEY_LENGTH; i++) {
    const digit = VALUES[credential.charCodeAt(i)];
    if (digit === undefined || digit < 0) return 'character';
    if (i >= KEY_LENGTH - CHECKSUM_LENGTH) sum = sum * 62 + digit;
  }
  return sum === crc32(credential, KEY_LENGTH - CHECKSUM_LENGTH) ? undefined : 'checksum';
}

/** CRC-32 (ISO 3309) of the first characters; finds every error within four neighbours: any typo, any two that changed places. */
function crc32(text: string, length: number): number {
  let crc = -1;
  for (let i = 0; i < length; i++) crc = (CRC[(crc ^ text.charCodeAt(i)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

function base62(number: bigint, length: number): string {
  let text = '';
  for (let rest = number; text.length < length; rest /= 62n) text = (DIGITS[Number(rest % 62n)] as string) + text;
  return text;
}

/** Code of a character → its value as a digit; -1 for what is none. */
const VALUES = Int8Array.from({ length: 128 }, (_, code) => DIGITS.indexOf(String.fromCharCode(code)));
const CRC = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
