/** One issuer whose tokens are accepted, and the check of a token of its. */
import type { Identity } from '../../../kernel/identity.ts';
import { type Algorithm, isAlgorithm } from './algorithm.ts';
import { checkClaims, identityOf, type Names, namesOf } from './claims.ts';
import type { IssuerConfig } from './config.ts';
import type { Fault } from './fault.ts';
import { KeyRing, readKeyText, type VerificationKey } from './key.ts';
import { sourceOf } from './source.ts';
import { type Parsed, typeOf } from './token.ts';
import type { Tokens } from './tokens.ts';

/** A token that has been checked: what of it can change is looked at again with each use. */
export interface CheckedToken {
  readonly identity: Identity;
  readonly issuer: Issuer;
  readonly key: VerificationKey;
  readonly names: Names;
  /** Wall clock in milliseconds: not before, and not from then on. */
  readonly from: number;
  readonly to: number;
  /** Thumbprint of the key that it is bound to (`cnf.jkt`, RFC 9449 §6.1); '' for none. */
  readonly jkt: string;
  /** Thumbprint of the certificate that it is bound to (`cnf.x5t#S256`, RFC 8705 §3.1); '' for none. */
  readonly certificate: string;
  /** Epoch of the revocations at which none covered it. */
  epoch: number;
}

/** An issuer and its keys. */
export class Issuer {
  readonly name: string;
  readonly config: IssuerConfig;
  readonly ring: KeyRing;
  readonly #algorithms: ReadonlySet<Algorithm>;

  constructor(name: string, config: IssuerConfig, tokens: Tokens) {
    this.name = name;
    this.config = config;
    this.#algorithms = new Set(config.algorithms);
    this.ring = config.keys === undefined ? tokens.ring(name, sourceOf(config)) : new KeyRing();
    if (config.keys !== undefined) this.ring.replace(config.keys.flatMap(readKeyText));
  }

  /** Checks all but revocation and what the request must show. `hash` names the token where it has no `jti`. */
  check(parsed: Parsed, hash: string, now: number): CheckedToken | Fault {
    const { header, claims } = parsed;
    const { config } = this;
    const type = typeOf(header);
    if (type !== 'at+jwt' && (config.type === 'at+jwt' || (type !== 'jwt' && type !== ''))) return 'type';
    const { alg, kid } = header;
    if (!isAlgorithm(alg) || !this.#algorithms.has(alg)) return 'algorithm';
    // Claims cost less than a signature and never make us ask the issuer. Until it holds, answers keep to themselves what is
    // wrong with them (fault.ts).
    const validity = checkClaims(claims, config, now);
    if (typeof validity === 'string') return validity;
    const bound = bindingOf(claims.cnf);
    if (bound === undefined) return 'binding';
    if ((bound.jkt !== '' && config.dpop === 'off') || (bound.certificate !== '' && config.certificateBound === 'off'))
      return 'binding';
    if (
      (config.dpop === 'required' && bound.jkt === '') ||
      (config.certificateBound === 'required' && bound.certificate === '')
    )
      return 'unbound';
    const identity = identityOf(claims, config, this.name, hash, validity.to);
    if (typeof identity === 'string') return identity;
    if (!this.ring.loaded) return 'keysUnavailable';
    const key = this.ring.find(kid as string | undefined, alg, config.keys !== undefined);
    if (key === undefined) return 'unknownKey';
    if (!key.check(alg, parsed.signed, parsed.signature)) return 'signature';
    return { identity, issuer: this, key, names: namesOf(claims), ...validity, ...bound, epoch: -1 };
  }
}

/** What a token is bound to. A confirmation that is not known here must not be overlooked, so it is refused. */
function bindingOf(cnf: unknown): { jkt: string; certificate: string } | undefined {
  if (cnf === undefined) return { jkt: '', certificate: '' };
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) return undefined;
  const names = Object.keys(cnf);
  if (names.length === 0 || !names.every((name) => name === 'jkt' || name === 'x5t#S256')) return undefined;
  const { jkt = '', 'x5t#S256': certificate = '' } = cnf as Record<string, unknown>;
  if (typeof jkt !== 'string' || typeof certificate !== 'string') return undefined;
  return names.every((name) => (cnf as Record<string, unknown>)[name] !== '') ? { jkt, certificate } : undefined;
}
