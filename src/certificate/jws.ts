/** Signed requests of ACME (RFC 8555 §6.2): flattened JSON Web Signatures with ES256, and with HS256 for a binding. */
import { createHash, createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto';

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Public half of a P-256 key, members in the order that its thumbprint wants (RFC 7638). */
export function publicJwk(key: KeyObject): { crv: string; kty: string; x: string; y: string } {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' }) as Record<string, string>;
  if (kty !== 'EC' || crv !== 'P-256') throw new Error(`an account key must be P-256, and this one is ${crv ?? kty}`);
  return { crv, kty, x: x as string, y: y as string };
}

/** Thumbprint of a key (RFC 7638), which key authorizations end with. */
export function thumbprint(key: KeyObject): string {
  return createHash('sha256')
    .update(JSON.stringify(publicJwk(key)))
    .digest('base64url');
}

/** Body of a request. `payload` undefined is POST-as-GET. `kid`: URL of the account; the key itself stands there before. */
export function signedRequest(
  key: KeyObject,
  kid: string | undefined,
  nonce: string,
  url: string,
  payload: unknown,
): string {
  const header = { alg: 'ES256', ...(kid === undefined ? { jwk: publicJwk(key) } : { kid }), nonce, url };
  const [first, second] = [encode(header), payload === undefined ? '' : encode(payload)];
  const signature = sign('sha256', Buffer.from(`${first}.${second}`), { key, dsaEncoding: 'ieee-p1363' });
  return JSON.stringify({ protected: first, payload: second, signature: signature.toString('base64url') });
}

/** Binds an account's key to one that exists outside ACME (RFC 8555 §7.3.4). `secret` is base64url. */
export function externalBinding(key: KeyObject, keyId: string, secret: string, url: string): unknown {
  const [first, second] = [encode({ alg: 'HS256', kid: keyId, url }), encode(publicJwk(key))];
  const mac = createHmac('sha256', Buffer.from(secret, 'base64url')).update(`${first}.${second}`);
  return { protected: first, payload: second, signature: mac.digest('base64url') };
}
