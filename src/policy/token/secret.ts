/** Secrets that are made from the pepper, which stands in the configuration and not beside what it protects. */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';

/** A key of 32 bytes for one purpose (HKDF, RFC 5869). */
export function derive(pepper: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', pepper, 'gatehouse tokens', purpose, 32));
}

/** The same of each pepper, first that of what is new. What is looked for is looked for under all: a pepper changes, what it names stays. */
export function deriveAll(peppers: readonly string[], purpose: string): readonly Buffer[] {
  return (peppers.length === 0 ? [''] : peppers).map((pepper) => derive(pepper, purpose));
}

/** HMAC-SHA256 in base64url. */
export function mac(key: string | Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

/** Whether two texts are the same, told in a time that depends on their length alone. */
export function same(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Chance in base64url: 43 characters for 32 bytes. */
export const chance = (bytes: number): string => randomBytes(bytes).toString('base64url');

/** Encrypts and seals (AES-256-GCM). `about`: what the text belongs to; it opens for nothing else. */
export function seal(key: Buffer, text: string, about: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
}

/** Opens what `seal` made; undefined when the key is another one or somebody has changed it. */
export function unseal(key: Buffer, sealed: string, about: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length < 28) return undefined;
  try {
    const open = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
    open.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(12, 28));
    return open.update(bytes.subarray(28), undefined, 'utf8') + open.final('utf8');
  } catch {
    return undefined;
  }
}
