/** DPoP proofs (RFC 9449 §4): whether who sends a token has the key that it is bound to. All but the replay of `jti`. */
import { type Algorithm, isAlgorithm } from './algorithm.ts';
import { GenerationCache } from './cache.ts';
import type { DpopConfig } from './config.ts';
import type { Fault } from './fault.ts';
import { sha256 } from './hash.ts';
import { keyFromJwk, type VerificationKey } from './key.ts';
import { Nonces } from './nonce.ts';
import { type Header, parseToken, typeOf } from './token.ts';
import type { Tokens } from './tokens.ts';

/** Bytes of a proof; and of its `jti`. */
const PROOF_MAX = 4096;
const JTI_MAX = 256;
/** Keys of clients that are kept ready. */
const KEYS = 4096;
/** Headers of so many characters are kept with what was made of them: a client sends the same with each of its proofs. */
const HEADER_MAX = 512;
/** What a proof may be signed with. */
export const PROOF_ALGORITHMS: readonly Algorithm[] = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'RS256', 'PS256'];

/** The request and token that a proof must be for. */
export interface ProofSubject {
  method: string;
  /** As `normalUri` writes it. */
  uri: string;
  /** SHA-256 of the token in base64url (`ath`); undefined where a token is asked for and there is none yet. */
  tokenHash: string | undefined;
  /** Thumbprint of the key that the token is bound to; undefined where any will do. */
  jkt: string | undefined;
}

/** A proof that holds, unless it was used before. */
export interface Proof {
  /** Of the key and `jti`: what may be used only once. 132 bits in base64url. */
  id: string;
  /** Wall clock, milliseconds since 1970: from then on the proof is too old anyway. */
  expiresAt: number;
  /** Thumbprint of the key that has signed it. */
  jkt: string;
  /** Nonce for the next one, where that of this one ages (RFC 9449 §8.2); '' else. */
  nextNonce: string;
}

/** What a header says: whose key has signed, and how. */
interface Signer {
  readonly alg: Algorithm;
  readonly key: VerificationKey;
}

/** Checks proofs. */
export class ProofChecker {
  readonly #config: DpopConfig;
  readonly #tokens: Pick<Tokens, 'secret'>;
  #nonces: Nonces | undefined = undefined;
  #secret: Buffer | undefined = undefined;
  readonly #keys = new GenerationCache<VerificationKey>(KEYS);
  readonly #headers = new GenerationCache<Header>(KEYS);
  readonly #signers = new WeakMap<Header, Signer>();

  /** The secret of nonces may come later, and change. */
  constructor(config: DpopConfig, tokens: Pick<Tokens, 'secret'>) {
    this.#config = config;
    this.#tokens = tokens;
  }

  /** What a proof is to hold. `now`: wall clock. */
  nonce(now: number): string {
    return this.#current()?.current(now) ?? '';
  }

  #current(): Nonces | undefined {
    const { secret } = this.#tokens;
    if (secret !== this.#secret) {
      this.#secret = secret;
      this.#nonces = secret && new Nonces(secret, this.#config.nonceFor);
    }
    return this.#nonces;
  }

  /** `now`: wall clock. `nonce`: all is well but that the nonce of the day is not in it. */
  check(text: string, subject: ProofSubject, now: number): Proof | Fault | 'nonce' {
    const parsed = parseToken(text, PROOF_MAX, this.#headers);
    if (typeof parsed === 'string') return 'proofMalformed';
    const { header, claims } = parsed;
    const signer = this.#signers.get(header) ?? this.#signerOf(header);
    if (signer === undefined) return 'proofMalformed';
    const { alg, key } = signer;
    const { jti, htm, htu, iat, ath, nonce } = claims;
    if (typeof jti !== 'string' || jti === '' || jti.length > JTI_MAX) return 'proofMalformed';
    if (typeof htu !== 'string' || typeof iat !== 'number') return 'proofMalformed';
    if (subject.jkt !== undefined && key.thumbprint !== subject.jkt) return 'proofKey';
    if (htm !== subject.method) return 'proofMethod';
    // A request that names no host has no address to compare.
    if (subject.uri === '' || normalUri(htu) !== subject.uri) return 'proofAddress';
    if (ath !== subject.tokenHash) return 'proofToken';
    const { maxAge, clockSkew } = this.#config;
    const expiresAt = iat * 1000 + maxAge + clockSkew;
    if (!(now < expiresAt && now >= iat * 1000 - clockSkew)) return 'proofTime';
    if (!key.check(alg, parsed.signed, parsed.signature)) return 'proofSignature';
    this.#remember(text, header, signer);
    let nextNonce = '';
    if (this.#config.nonce === 'required') {
      const nonces = this.#current();
      if (nonces === undefined) return 'replayUnavailable';
      if (!nonces.accepts(nonce, now)) return 'nonce';
      if (nonces.ages(nonce, now)) nextNonce = nonces.current(now);
    }
    return { id: sha256(`${key.thumbprint}${jti}`).slice(0, 22), expiresAt, jkt: key.thumbprint, nextNonce };
  }

  #signerOf(header: Header): Signer | undefined {
    const { alg, jwk } = header;
    if (typeOf(header) !== 'dpop+jwt' || !isAlgorithm(alg) || !PROOF_ALGORITHMS.includes(alg)) return undefined;
    const key = this.#keyOf(jwk);
    return key?.fits(alg) ? { alg, key } : undefined;
  }

  /** Keeps the header of a proof that holds: what is only sent fills no memory. */
  #remember(text: string, header: Header, signer: Signer): void {
    const end = text.indexOf('.');
    if (end > HEADER_MAX || this.#signers.has(header)) return;
    // A piece of the head's text would keep all of that alive.
    this.#headers.set(Buffer.from(text.slice(0, end), 'latin1').toString('latin1'), header);
    this.#signers.set(header, signer);
  }

  #keyOf(jwk: unknown): VerificationKey | undefined {
    if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return undefined;
    const { kty, crv, x, y, n, e, alg, use } = jwk as Record<string, unknown>;
    // A private key in the open is nobody's proof (RFC 9449 §4.3).
    if ('d' in jwk || 'k' in jwk || 'p' in jwk || typeof kty !== 'string') return undefined;
    const name = JSON.stringify([kty, crv, x, y, n, e, alg, use]);
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const made = keyFromJwk({ kty, crv, x, y, n, e, alg, use });
    if (typeof made === 'string') return undefined;
    this.#keys.set(name, made);
    return made;
  }
}

/**
 * A URI as proofs are compared (RFC 9449 §4.3, RFC 3986 §6.2.2 and §6.2.3): without query and fragment, scheme and host in
 * lower case, without the scheme's own port, escapes in one form. '' for what is no http URI.
 */
export function normalUri(text: string): string {
  const end = text.search(/[?#]/);
  const parts = /^(https?):\/\/([^/?#\\@]+)(\/.*)?$/i.exec(end < 0 ? text : text.slice(0, end));
  if (parts === null) return '';
  const scheme = (parts[1] as string).toLowerCase();
  const own = scheme === 'https' ? ':443' : ':80';
  let authority = (parts[2] as string).toLowerCase();
  if (authority.endsWith(own)) authority = authority.slice(0, -own.length);
  else if (authority.endsWith(':')) authority = authority.slice(0, -1);
  return `${scheme}://${authority}${normalPath(parts[3] ?? '/')}`;
}

/** Escapes of what needs none are undone, others written in capitals. Dot segments are left: no client of ours sends any. */
function normalPath(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
    const c = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(c) ? c : triplet.toUpperCase();
  });
}
