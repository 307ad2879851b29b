/**
 * Tokens (JWT) as a way to prove who calls. A token is checked once and then known by its hash; what can change meanwhile
 * (time, revocation, keys taken back, settings) is looked at with each use. Proofs of possession are checked every time.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Exchange } from '../../../kernel/exchange.ts';
import type { Identity } from '../../../kernel/identity.ts';
import type { Authenticator, AuthFailure, AuthVerdict, CredentialScheme } from '../authenticator.ts';
import { GenerationCache } from './cache.ts';
import { type DpopConfig, type IssuersConfig, TOKEN_MAX } from './config.ts';
import { FAULTS, type Fault, nonceFault } from './fault.ts';
import { sha256 } from './hash.ts';
import { type CheckedToken, Issuer } from './issuer.ts';
import { lastTokenOf } from './lasttoken.ts';
import { normalUri, PROOF_ALGORITHMS, ProofChecker } from './proof.ts';
import { type Parsed, parseToken } from './token.ts';
import type { Tokens } from './tokens.ts';

/** Tokens found wrong that are remembered. */
const WRONG = 2_000;

/** The settings that concern it, as `access` has them. */
export interface JwtSettings {
  issuers: IssuersConfig;
  dpop: DpopConfig;
  rememberedTokens: number;
}

/** The authenticator of one configuration. */
export class JwtAuthenticator implements Authenticator {
  readonly method = 'jwt';
  readonly challenges: readonly string[];
  /** Checked tokens that are remembered at most. */
  readonly remembers: number;
  readonly #tokens: Tokens;
  readonly #issuers = new Map<string, Issuer>();
  readonly #known: GenerationCache<CheckedToken>;
  /** Tokens whose signature was found wrong with the keys of `#wrongEpoch`. */
  readonly #wrong = new GenerationCache<Fault>(WRONG);
  #wrongEpoch = -1;
  readonly #checker: ProofChecker;
  /** Identities → the tokens that they were made of, for what runs when those are revoked. */
  readonly #checked: WeakMap<Identity, CheckedToken>;

  /** `before`: the one in force; what it knows of issuers that have not changed is taken over. */
  constructor({ issuers, dpop, rememberedTokens }: JwtSettings, tokens: Tokens, before?: JwtAuthenticator) {
    this.#tokens = tokens;
    for (const [name, config] of Object.entries(issuers)) {
      const old = before === undefined ? undefined : before.#issuers.get(config.issuer);
      const same = old !== undefined && old.name === name && isDeepStrictEqual(old.config, config);
      this.#issuers.set(config.issuer, same ? old : new Issuer(name, config, tokens));
    }
    this.#known = before?.remembers === rememberedTokens ? before.#known : new GenerationCache(rememberedTokens);
    this.#checked = before === undefined ? new WeakMap() : before.#checked;
    this.remembers = rememberedTokens;
    this.#checker = new ProofChecker(dpop, tokens);
    const takes = Object.values(issuers).some((one) => one.dpop !== 'off');
    this.challenges = takes ? [`DPoP algs="${PROOF_ALGORITHMS.join(' ')}"`] : [];
  }

  recognizes(scheme: CredentialScheme, credential: string): boolean {
    if (scheme === 'dpop') return true;
    // Every JOSE header begins with `{"`, or has a space in between.
    return credential.startsWith('ey') && credential.indexOf('.') > 0;
  }

  authenticate(scheme: CredentialScheme, credential: string, exchange: Exchange): AuthVerdict | Promise<AuthVerdict> {
    if (credential.length > TOKEN_MAX) return FAULTS.oversized;
    const last = lastTokenOf(exchange.inbound.peer);
    if (last?.token !== undefined && last.text === credential) {
      if (this.#stale(last.token) === undefined) return this.#admit(last.token, scheme, last.hash, exchange);
      last.forget();
    }
    const hash = sha256(credential);
    const known = this.#known.get(hash);
    if (known !== undefined) {
      const fault = this.#stale(known);
      if (fault === undefined) {
        last?.note(known, hash, credential);
        return this.#admit(known, scheme, hash, exchange);
      }
      this.#known.delete(hash);
      if (fault !== 'again') return FAULTS[fault];
    }
    const { epoch } = this.#tokens;
    if (this.#wrongEpoch !== epoch) {
      this.#wrongEpoch = epoch;
      this.#wrong.clear();
    }
    const wrong = this.#wrong.get(hash);
    if (wrong !== undefined) return FAULTS[wrong];
    return this.#first(scheme, credential, hash, exchange);
  }

  /** Whether what is known of a token still holds; `again`: it is to be checked anew. */
  #stale(token: CheckedToken): Fault | 'again' | undefined {
    const now = this.#tokens.clock.wall();
    if (now >= token.to) return 'expired';
    if (now < token.from) return 'notYetValid';
    const { issuer } = token;
    if (!token.key.live || this.#issuers.get(issuer.config.issuer) !== issuer) return 'again';
    return this.#revoked(token) ? 'revoked' : undefined;
  }

  takenBack(identity: Identity): boolean {
    const token = this.#checked.get(identity);
    return token !== undefined && (this.#revoked(token) || this.#distrusted(token));
  }

  /**
   * Its issuer is not trusted any more, or the key that signed it is gone. Issuers take a key back when what it has signed has
   * expired: what such a token began may end.
   */
  #distrusted({ issuer, key, to }: CheckedToken): boolean {
    const now = this.#issuers.get(issuer.config.issuer);
    if (now === undefined) return true;
    return this.#tokens.clock.wall() < to && now.ring.loaded && !now.ring.holds(key);
  }

  #revoked(token: CheckedToken): boolean {
    const { revocations } = this.#tokens;
    if (token.epoch === revocations.epoch) return false;
    if (revocations.covers(token.issuer.name, token.identity.principal, token.names)) return true;
    token.epoch = revocations.epoch;
    return false;
  }

  /** A token that is not known yet. */
  #first(
    scheme: CredentialScheme,
    credential: string,
    hash: string,
    exchange: Exchange,
  ): AuthVerdict | Promise<AuthVerdict> {
    const parsed = parseToken(credential, TOKEN_MAX);
    if (typeof parsed === 'string') return FAULTS[parsed];
    const { iss } = parsed.claims;
    const issuer = typeof iss === 'string' ? this.#issuers.get(iss) : undefined;
    if (issuer === undefined) return FAULTS.issuer;
    if (credential.length > issuer.config.maxSize) return FAULTS.oversized;
    const checked = issuer.check(parsed, hash, this.#tokens.clock.wall());
    if ((checked === 'unknownKey' || checked === 'keysUnavailable') && issuer.config.keys === undefined) {
      const fetched = this.#tokens.fetchKeys(issuer.name, checked === 'keysUnavailable');
      if (fetched !== undefined) return fetched.then(() => this.#settle(issuer, parsed, scheme, hash, exchange));
    }
    return this.#conclude(checked, scheme, hash, exchange);
  }

  #settle(
    issuer: Issuer,
    parsed: Parsed,
    scheme: CredentialScheme,
    hash: string,
    exchange: Exchange,
  ): AuthVerdict | Promise<AuthVerdict> {
    return this.#conclude(issuer.check(parsed, hash, this.#tokens.clock.wall()), scheme, hash, exchange);
  }

  #conclude(
    checked: CheckedToken | Fault,
    scheme: CredentialScheme,
    hash: string,
    exchange: Exchange,
  ): AuthVerdict | Promise<AuthVerdict> {
    if (typeof checked === 'string') {
      // What took a signature to find out is remembered; it stays wrong until keys or settings change.
      if (checked === 'signature') this.#wrong.set(hash, checked);
      return FAULTS[checked];
    }
    if (this.#revoked(checked)) return FAULTS.revoked;
    this.#known.set(hash, checked);
    this.#checked.set(checked.identity, checked);
    return this.#admit(checked, scheme, hash, exchange);
  }

  /** A good token: has this client the key or certificate that it is bound to? */
  #admit(
    token: CheckedToken,
    scheme: CredentialScheme,
    hash: string,
    exchange: Exchange,
  ): AuthVerdict | Promise<AuthVerdict> {
    if (token.certificate !== '') {
      const shown = exchange.inbound.tls?.certificate;
      if (shown?.thumbprint !== token.certificate)
        return shown === undefined ? FAULTS.certificateMissing : FAULTS.certificate;
    }
    if (token.jkt === '') return scheme === 'dpop' ? FAULTS.proofKey : token.identity;
    if (scheme !== 'dpop') return FAULTS.scheme;
    return this.#prove(token, hash, exchange);
  }

  #prove(token: CheckedToken, tokenHash: string, exchange: Exchange): AuthFailure | Promise<AuthVerdict> {
    const { head } = exchange;
    const text = head.get('dpop');
    if (text === undefined || head.count('dpop') !== 1) return FAULTS.proofMissing;
    const now = this.#tokens.clock.wall();
    const subject = { method: head.method, uri: requestUri(exchange), tokenHash, jkt: token.jkt };
    const proof = this.#checker.check(text, subject, now);
    if (proof === 'nonce') return nonceFault(this.#checker.nonce(now));
    if (typeof proof === 'string') return FAULTS[proof];
    const { proofs } = this.#tokens;
    if (proofs === undefined) return FAULTS.replayUnavailable;
    return proofs.claim(proof).then((claimed) => {
      if (claimed === 'replayed') return FAULTS.proofReplayed;
      if (claimed !== 'fresh') return FAULTS.replayUnavailable;
      if (this.#revoked(token)) return FAULTS.revoked;
      // So that the client need not be refused once when the nonce runs out.
      if (proof.nextNonce !== '') exchange.answerLines += `DPoP-Nonce: ${proof.nextNonce}\r\n`;
      return token.identity;
    });
  }
}

/** The request's address as its client sees it: what trusted hops say about the name counts. */
export function requestUri({ head, inbound }: Exchange): string {
  const named = inbound.peer.trusted ? head.get('x-forwarded-host')?.split(',')[0]?.trim() : undefined;
  return normalUri(`${inbound.scheme}://${named || head.authority}${head.path}`);
}
