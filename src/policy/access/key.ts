/**
 * The text of an API key: `gh_live_` or `gh_test_`, 192 random bits in base62, and a checksum of all before it, so that a
 * typo or a cut is told without a look-up, and secret scanners take nothing else for one. Pure.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

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
  return body + checksum(body);
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

/** What is wrong with the form of a key that begins as ours do; undefined when nothing is. */
export function keyFault(credential: string): 'length' | 'character' | 'checksum' | undefined {
  if (credential.length !== KEY_LENGTH) return 'length';
  if (!/^[0-9A-Za-z]+$/.test(credential.slice(PREFIX_LENGTH))) return 'character';
  const body = credential.slice(0, -CHECKSUM_LENGTH);
  return checksum(body) === credential.slice(-CHECKSUM_LENGTH) ? undefined : 'checksum';
}

/** CRC-32 finds every error within four neighbouring characters: any single typo, any two that changed places. */
function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_LENGTH);
}

function base62(number: bigint, length: number): string {
  let text = '';
  for (let rest = number; text.length < length; rest /= 62n) text = (DIGITS[Number(rest % 62n)] as string) + text;
  return text;
}
