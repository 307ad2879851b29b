/**
 * The signature algorithms of JWS that a public key can check (RFC 7518 §3, RFC 8037, RFC 9864). Symmetric ones and `none`
 * are not here, so no token can ask for them.
 */
import { constants, type KeyObject, verify } from 'node:crypto';

/** What an algorithm asks of its key, and how its signatures are checked. */
interface Scheme {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  /** The only curves that go with it. */
  readonly curves?: readonly string[];
  /** Name of the hash; null where the scheme has its own. */
  readonly hash: string | null;
  /** RSASSA-PSS, with a salt as long as the hash. */
  readonly saltBytes?: number;
  /** Bytes of a signature, where they are fixed. */
  readonly signatureBytes?: number;
}

const SCHEMES = {
  RS256: { kty: 'RSA', hash: 'sha256' },
  RS384: { kty: 'RSA', hash: 'sha384' },
  RS512: { kty: 'RSA', hash: 'sha512' },
  PS256: { kty: 'RSA', hash: 'sha256', saltBytes: 32 },
  PS384: { kty: 'RSA', hash: 'sha384', saltBytes: 48 },
  PS512: { kty: 'RSA', hash: 'sha512', saltBytes: 64 },
  ES256: { kty: 'EC', curves: ['P-256'], hash: 'sha256', signatureBytes: 64 },
  ES384: { kty: 'EC', curves: ['P-384'], hash: 'sha384', signatureBytes: 96 },
  ES512: { kty: 'EC', curves: ['P-521'], hash: 'sha512', signatureBytes: 132 },
  EdDSA: { kty: 'OKP', curves: ['Ed25519'], hash: null, signatureBytes: 64 },
  Ed25519: { kty: 'OKP', curves: ['Ed25519'], hash: null, signatureBytes: 64 },
} as const satisfies Record<string, Scheme>;

/** An algorithm by its JWS name. */
export type Algorithm = keyof typeof SCHEMES;

/** Every algorithm that can be allowed. */
export const ALGORITHMS = Object.keys(SCHEMES) as [Algorithm, ...Algorithm[]];

/** Whether a header's `alg` names one of them. */
export const isAlgorithm = (alg: unknown): alg is Algorithm => typeof alg === 'string' && Object.hasOwn(SCHEMES, alg);

/** Algorithms that a key of this type and curve can check; none for what is no signature key. */
export function algorithmsFor(kty: unknown, crv: unknown): Algorithm[] {
  return ALGORITHMS.filter((alg) => {
    const scheme: Scheme = SCHEMES[alg];
    return scheme.kty === kty && (scheme.curves === undefined || scheme.curves.includes(crv as string));
  });
}

/** What `node:crypto` is given beside data and signature; made once for each key and algorithm. */
export type VerifyKey = Readonly<{
  hash: string | null;
  bytes: number;
  half: number;
  options: Parameters<typeof verify>[2];
}>;

/** Prepares a key for an algorithm that `algorithmsFor` has named for it. */
export function prepare(alg: Algorithm, key: KeyObject): VerifyKey {
  const scheme: Scheme = SCHEMES[alg];
  const bytes = scheme.signatureBytes ?? 0;
  const options =
    scheme.kty === 'EC'
      ? // JWS has r and s side by side (RFC 7518 §3.4), not DER.
        { key, dsaEncoding: 'ieee-p1363' as const }
      : scheme.saltBytes !== undefined
        ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: scheme.saltBytes }
        : scheme.kty === 'RSA'
          ? { key, padding: constants.RSA_PKCS1_PADDING }
          : key;
  return { hash: scheme.hash, bytes, half: scheme.kty === 'EC' ? bytes / 2 : 0, options };
}

/** Whether `signature` is one of `data`. Never throws. */
export function checkSignature(key: VerifyKey, data: Buffer, signature: Buffer): boolean {
  if (key.bytes !== 0 && signature.length !== key.bytes) return false;
  // r = 0 or s = 0 has passed elsewhere for any message ("psychic signatures", CVE-2022-21449).
  if (key.half !== 0 && (isZero(signature, 0, key.half) || isZero(signature, key.half, key.bytes))) return false;
  try {
    return verify(key.hash, data, key.options, signature);
  } catch {
    return false;
  }
}

function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}
