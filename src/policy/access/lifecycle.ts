/**
 * A key's life: made, rotated, changed, revoked. Pure: documents in, documents out; who writes them to the store passes
 * the versions it has read, so that two people at once cannot make a third key.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type KeyDocument, keyDocument } from './document.ts';
import { type KeyMode, mintKey, mintKeyId } from './key.ts';
import { digestKey, pepperName } from './pepper.ts';

/** Valid keys that one principal may have at once: the one in use, and the one that takes its place. */
export const KEYS_PER_PRINCIPAL = 2;
/** How long the old key goes on beside the new one when nothing else is said: a day. */
export const OVERLAP_MS = 86_400_000;

/** What is said of a key that is to be made; the rest is made here. */
export const keyOrder = z.strictObject({
  ...keyDocument.omit({ id: true, hash: true, pepper: true, hint: true, createdAt: true, disabled: true }).shape,
  mode: z.enum(['live', 'test']).default('live').describe('What its prefix says.'),
});
/** As it is written. */
export type KeyOrder = z.input<typeof keyOrder>;

/** What may be changed of a key that exists; what is left out stays. */
export type KeyChange = Partial<Omit<KeyDocument, (typeof FIXED)[number]>>;
/** What a key is and stays. */
const FIXED = ['id', 'hash', 'pepper', 'hint', 'createdAt', 'principal'] as const;

/** What surrounds the making of keys. */
export interface Mint {
  /** The pepper for new keys: the first of `access.pepper`; '' when none is set, and then nothing can be made. */
  pepper: string;
  /** Wall clock, milliseconds since 1970. */
  now: number;
  /** Bytes of chance fit for secrets; the system's when left out. */
  random?: (bytes: number) => Uint8Array;
}

/** A key that was made. `key` is the only copy of it there will ever be. */
export interface Minted {
  key: string;
  document: KeyDocument;
}

/** Why nothing was done, in a sentence. */
export interface KeyRefusal {
  refused: string;
}

/** Whether a key lets in now, or will do so later. */
export function isUsable(key: KeyDocument, now: number): boolean {
  return !key.disabled && (key.expiresAt === undefined || key.expiresAt > now);
}

/**
 * Makes a key. `others`: all keys of the same principal and tenant. Refuses when there are as many usable ones as there may
 * be. Throws a `ZodError` when the order is wrong.
 */
export function createKey(order: KeyOrder, others: readonly KeyDocument[], mint: Mint): Minted | KeyRefusal {
  const { pepper, now, random = randomBytes } = mint;
  if (pepper === '') return { refused: 'keys are hashed under a pepper, and none is set: set access.pepper' };
  const { mode, ...wanted } = keyOrder.parse(order);
  if (wanted.expiresAt !== undefined && wanted.expiresAt <= now)
    return { refused: 'this key would have expired already' };
  if (wanted.notBefore !== undefined && wanted.expiresAt !== undefined && wanted.notBefore >= wanted.expiresAt)
    return { refused: 'this key would expire before it is valid' };
  const usable = others.filter((key) => isUsable(key, now));
  if (usable.length >= KEYS_PER_PRINCIPAL) {
    const names = usable.map(({ id }) => id).join(' and ');
    return { refused: `principal ${wanted.principal} has ${usable.length} keys already (${names}): revoke one first` };
  }
  const key = mintKey(mode, random);
  const document: KeyDocument = {
    ...wanted,
    id: mintKeyId(random),
    hash: digestKey(pepper, key).toString('base64url'),
    pepper: pepperName(pepper),
    hint: hintOf(key),
    createdAt: now,
    disabled: false,
  };
  return { key, document };
}

/**
 * Makes a key that may do what an old one may, and lets the old one expire after `overlapMs` (0: at once), if it does not
 * sooner. Returns the new key and both documents.
 */
export function rotateKey(
  old: KeyDocument,
  others: readonly KeyDocument[],
  mint: Mint,
  overlapMs = OVERLAP_MS,
): (Minted & { old: KeyDocument }) | KeyRefusal {
  const { now } = mint;
  if (!isUsable(old, now)) return { refused: `the key ${old.id} is not valid any more: make a new one instead` };
  const { id: _, hash: _h, pepper: _p, hint, createdAt: _c, disabled: _d, expiresAt, ...order } = old;
  const mode: KeyMode = hint.startsWith('gh_test_') ? 'test' : 'live';
  // A key with an end gets as long a life as it had.
  const end = expiresAt === undefined ? {} : { expiresAt: now + Math.max(1, expiresAt - Math.min(old.createdAt, now)) };
  const beside = others.filter((key) => key.id !== old.id);
  // The old one counts while it goes on beside the new one.
  const made = createKey({ ...order, mode, ...end }, overlapMs > 0 ? [...beside, old] : beside, mint);
  if ('refused' in made) return made;
  const stops = Math.min(now + overlapMs, expiresAt ?? Number.POSITIVE_INFINITY);
  return { ...made, old: overlapMs > 0 ? { ...old, expiresAt: stops } : { ...old, disabled: true } };
}

/** Revokes a key for good. */
export function revokeKey(key: KeyDocument): KeyDocument {
  return { ...key, disabled: true };
}

/** Changes what a key may do. `undefined` takes a limit away. Throws an `Error` or a `ZodError` when the change is wrong. */
export function changeKey(key: KeyDocument, change: KeyChange): KeyDocument {
  for (const name of FIXED) {
    if (Object.hasOwn(change, name)) throw new Error(`${name} of a key never changes: make a new key`);
  }
  return keyDocument.parse({ ...key, ...change });
}

/** What people may see of a key: all but its hash. */
export function shownKey({ hash: _, ...rest }: KeyDocument): Omit<KeyDocument, 'hash'> {
  return rest;
}

/** Under which a key is found besides its id: its hash is unique. */
export const lookupsOf = ({ hash }: KeyDocument): readonly string[] => [`hash:${hash}`];

function hintOf(key: string): string {
  return `${key.slice(0, 11)}…${key.slice(-4)}`;
}
