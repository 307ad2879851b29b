/** Public keys that check tokens, from JWK (RFC 7517) or PEM. Private and symmetric ones are never taken. */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { type Algorithm, algorithmsFor, checkSignature, prepare, type VerifyKey } from './algorithm.ts';

/** RSA keys below are weak (RFC 7518 §3.3), those beyond cost too much to check. */
const RSA_BITS = [2048, 8192] as const;
/** Keys of one issuer. */
const KEYS_MAX = 128;
const KID_MAX = 512;

/** A public key in plain form, as it travels between processes. */
export type PublicJwk = Readonly<Record<string, string>>;

/** A key and what it may be used for. */
export class VerificationKey {
  readonly kid: string | undefined;
  /** SHA-256 thumbprint in base64url (RFC 7638). */
  readonly thumbprint: string;
  readonly jwk: PublicJwk;
  /** False once its issuer has taken it back: what it has signed is not accepted any more. */
  live = true;
  readonly #prepared = new Map<Algorithm, VerifyKey>();

  constructor(object: KeyObject, jwk: PublicJwk, algorithms: readonly Algorithm[]) {
    this.kid = jwk.kid;
    this.jwk = jwk;
    this.thumbprint = thumbprintOf(jwk);
    for (const alg of algorithms) this.#prepared.set(alg, prepare(alg, object));
  }

  /** Whether the key is for this algorithm. */
  fits(alg: Algorithm): boolean {
    return this.#prepared.has(alg);
  }

  /** Whether `signature` is one of `data` by this key. */
  check(alg: Algorithm, data: Buffer, signature: Buffer): boolean {
    const prepared = this.#prepared.get(alg);
    return prepared !== undefined && checkSignature(prepared, data, signature);
  }
}

/** Members that make up a public key, by type. `kid`, `alg` and the like are not among them. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  RSA: ['e', 'kty', 'n'],
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
};

/** SHA-256 thumbprint of a public key in base64url (RFC 7638 §3). */
export function thumbprintOf(jwk: PublicJwk): string {
  const members = (MEMBERS[jwk.kty ?? ''] ?? []).map((name) => `${JSON.stringify(name)}:${JSON.stringify(jwk[name])}`);
  return createHash('sha256')
    .update(`{${members.join(',')}}`)
    .digest('base64url');
}

/** A key from a JWK, or a sentence that says why it is of no use here. */
export function keyFromJwk(jwk: unknown): VerificationKey | string {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'it is no JWK object';
  const { kty, crv, kid, alg, use, key_ops: operations } = jwk as Record<string, unknown>;
  const members = typeof kty === 'string' && Object.hasOwn(MEMBERS, kty) ? MEMBERS[kty] : undefined;
  if (members === undefined) return 'it is no public key for signatures (kty RSA, EC or OKP)';
  if ('d' in jwk || 'k' in jwk) return 'it holds a private or secret key, which nobody may see; publish the public one';
  if (use !== undefined && use !== 'sig') return 'it is not for signatures (use)';
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'it is not for checking signatures (key_ops)';
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > KID_MAX)) return 'its kid is no short string';
  const able = algorithmsFor(kty, crv);
  const algorithms = alg === undefined ? able : able.filter((one) => one === alg);
  if (algorithms.length === 0) return 'its type, curve and algorithm do not go together, or are not known here';
  const plain: Record<string, string> = {};
  for (const name of members) {
    const value = (jwk as Record<string, unknown>)[name];
    if (typeof value !== 'string') return `its member ${name} is missing`;
    plain[name] = value;
  }
  let object: KeyObject;
  try {
    object = createPublicKey({ key: plain, format: 'jwk' });
  } catch {
    return 'its numbers are not those of a key';
  }
  const bits = object.asymmetricKeyDetails?.modulusLength ?? RSA_BITS[0];
  if (bits < RSA_BITS[0] || bits > RSA_BITS[1])
    return `it has ${bits} bits; from ${RSA_BITS.join(' to ')} are accepted`;
  if (kid !== undefined) plain.kid = kid;
  if (alg !== undefined) plain.alg = alg as string;
  return new VerificationKey(object, plain, algorithms);
}

/** What `readKeys` makes of a set. */
export interface KeyReading {
  keys: PublicJwk[];
  /** Why others were left out; sentences for operators. */
  problems: string[];
}

/** The usable keys of a JWK Set. Throws an `Error` when it is none. What is of no use here is left out (RFC 7517 §5). */
export function readKeys(set: unknown): KeyReading {
  const list = (set as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(list)) throw new Error('it is no JWK Set: there is no list "keys" in it');
  if (list.length > KEYS_MAX) throw new Error(`it has ${list.length} keys; at most ${KEYS_MAX} are taken`);
  const keys: PublicJwk[] = [];
  const problems: string[] = [];
  list.forEach((jwk, i) => {
    const key = keyFromJwk(jwk);
    if (typeof key === 'string') problems.push(`key ${i} is left out: ${key}`);
    else keys.push(key.jwk);
  });
  return { keys, problems };
}

/** Keys out of a text: PEM of a public key or certificate, or JSON of a JWK or a JWK Set. Throws an `Error` that says why not. */
export function readKeyText(text: string): PublicJwk[] {
  const trimmed = text.trim();
  if (trimmed.startsWith('{')) {
    const value = parseJson(trimmed);
    const list = Array.isArray((value as { keys?: unknown }).keys) ? (value as { keys: unknown[] }).keys : [value];
    return list.map((jwk) => {
      const key = keyFromJwk(jwk);
      if (typeof key === 'string') throw new Error(key);
      return key.jwk;
    });
  }
  if (/PRIVATE KEY/.test(trimmed))
    throw new Error('it is a private key, which does not belong here; give the public one');
  let jwk: unknown;
  try {
    const object = /BEGIN CERTIFICATE/.test(trimmed)
      ? new X509Certificate(trimmed).publicKey
      : createPublicKey(trimmed);
    jwk = object.export({ format: 'jwk' });
  } catch {
    throw new Error('it is neither PEM of a public key or certificate nor a JWK in JSON');
  }
  const key = keyFromJwk(jwk);
  if (typeof key === 'string') throw new Error(key);
  return [key.jwk];
}

/** Thumbprints of keys out of texts, as `readKeyText` takes them. */
export function thumbprintsOf(keys: readonly string[]): string[] {
  return keys.flatMap(readKeyText).map(thumbprintOf);
}

function parseJson(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch (error) {
    throw new Error(`it is no JSON: ${(error as Error).message}`);
  }
}

/** The keys of one issuer, by `kid`. */
export class KeyRing {
  #keys: readonly VerificationKey[] = [];
  /** Whether there have been any yet. */
  loaded = false;

  get keys(): readonly VerificationKey[] {
    return this.#keys;
  }

  /** Whether a key is among them, under whatever name. */
  holds({ thumbprint }: VerificationKey): boolean {
    return this.#keys.some((key) => key.thumbprint === thumbprint);
  }

  /** Takes a new set over. Keys that stay remain the same objects; those that are gone are no longer `live`. */
  replace(jwks: readonly PublicJwk[]): void {
    const before = new Map(this.#keys.map((key) => [nameOf(key.jwk), key]));
    const taken = new Set<string>();
    const next: VerificationKey[] = [];
    for (const jwk of jwks) {
      const name = nameOf(jwk);
      if (taken.has(name)) continue;
      taken.add(name);
      const key = before.get(name) ?? keyFromJwk(jwk);
      before.delete(name);
      if (typeof key !== 'string') next.push(key);
    }
    for (const gone of before.values()) gone.live = false;
    this.#keys = next;
    this.loaded = true;
  }

  /**
   * The one key that a header asks for: by `kid` where it has one, else by algorithm alone. Undefined when there is none, or
   * more than one: nothing is tried out. `nameless`: a `kid` that no key here bears may mean the one key without a name, as
   * those out of PEM are.
   */
  find(kid: string | undefined, alg: Algorithm, nameless = false): VerificationKey | undefined {
    if (kid === undefined) return this.#only(alg, () => true);
    if (this.#keys.some((key) => key.kid === kid)) return this.#only(alg, (key) => key.kid === kid);
    return nameless ? this.#only(alg, (key) => key.kid === undefined) : undefined;
  }

  #only(alg: Algorithm, named: (key: VerificationKey) => boolean): VerificationKey | undefined {
    let found: VerificationKey | undefined;
    for (const key of this.#keys) {
      if (!named(key) || !key.fits(alg)) continue;
      if (found !== undefined) return undefined;
      found = key;
    }
    return found;
  }
}

const nameOf = (jwk: PublicJwk): string => `${jwk.kid ?? ''}\n${jwk.alg ?? ''}\n${thumbprintOf(jwk)}`;
