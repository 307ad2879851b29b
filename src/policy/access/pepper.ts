/**
 * Keys are kept as HMAC-SHA256 under a pepper that stands in the configuration and not beside them: a stolen store holds
 * nothing that can be tried out. The keys are random, so nothing slower is needed. Several peppers, for changing them.
 */
import { createHash, createHmac } from 'node:crypto';

/** Bytes of a digest. */
export const DIGEST_BYTES = 32;

/** HMAC-SHA256 of a key. */
export function digestKey(pepper: string, key: string): Buffer {
  return createHmac('sha256', pepper).update(key, 'latin1').digest();
}

/** Names a pepper without telling it: eight hex digits of its hash, to see by which one a key was hashed. */
export function pepperName(pepper: string): string {
  return createHash('sha256').update('gatehouse pepper\0').update(pepper).digest('hex').slice(0, 8);
}
