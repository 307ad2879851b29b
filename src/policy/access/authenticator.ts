/**
 * What proves who calls: an API key, a token, a client certificate. Each way is an `Authenticator`; a route says which of
 * them it takes, and the gate asks the one that knows the form of what was shown.
 */
import type { Exchange } from '../../kernel/exchange.ts';
import type { Identity } from '../../kernel/identity.ts';

/** The ways, as routes name them. */
export type AccessMethod = Identity['method'];

/** How a credential was shown: `Authorization: Bearer`, `Authorization: DPoP` (RFC 9449 §7.1), or a field of its own. */
export type CredentialScheme = 'bearer' | 'dpop' | 'field';

/** Why somebody was not let in, as a label of metrics and a word in the log. A closed set. */
export type FailureReason =
  | 'missing'
  | 'ambiguous'
  | 'malformed'
  | 'unsupported'
  | 'unknown'
  | 'expired'
  | 'not_yet_valid'
  | 'disabled'
  | 'network'
  | 'throttled'
  | 'scope'
  | 'bad_signature'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'claims'
  | 'replayed'
  | 'proof'
  | 'revoked'
  | 'unavailable';

/**
 * A credential that was shown and not accepted. `message` is told to the client: it may help the honest and must tell an
 * attacker nothing; that a credential exists, for one, is told only to who has shown the whole of it.
 */
export interface AuthFailure {
  readonly failed: FailureReason;
  /** A sentence: what is wrong, and what to do. Printable ASCII without `"` and `\`, for it travels in a field. */
  readonly message: string;
  /** `error` of the challenge (RFC 6750 §3.1, RFC 9449 §7.1); `invalid_token` when left out. */
  readonly error?: 'invalid_token' | 'invalid_dpop_proof' | 'use_dpop_nonce';
  /** Scheme of the challenge; `Bearer` when left out. */
  readonly scheme?: 'Bearer' | 'DPoP';
  /** Further parameters of the challenge, such as `algs="ES256"`. */
  readonly parameters?: string;
  /** Further fields of the answer, such as a `DPoP-Nonce`. */
  readonly fields?: readonly (readonly [string, string])[];
  /**
   * The answer cannot be found out at the moment (a key set that was never fetched): 503 instead of 401, and no failed
   * login. Milliseconds after which to come back.
   */
  readonly retryAfterMs?: number;
  /** A slip that is no attempt, such as a nonce that has to be renewed: not counted against the address. */
  readonly harmless?: boolean;
}

/** What an authenticator says. Identities are made once for each credential and shared by all its requests. */
export type AuthVerdict = Identity | AuthFailure;

/** One way to prove who calls. */
export interface Authenticator {
  readonly method: AccessMethod;
  /**
   * Whether a credential has the form of this way, told by looking at its text alone. The first authenticator of a route
   * that says yes decides alone: what one has refused no other is asked for.
   */
  recognizes(scheme: CredentialScheme, credential: string): boolean;
  /**
   * Whose credential it is. Answers at once from memory, or by a promise where it truly must wait; never rejects. It
   * checks all that belongs to the credential (expiry, networks, proof of possession by the exchange's method, target,
   * fields and TLS facts), but not what the route asks beyond that (scopes).
   */
  authenticate(scheme: CredentialScheme, credential: string, exchange: Exchange): AuthVerdict | Promise<AuthVerdict>;
  /** Whether a credential might be a guess: one that has not been verified before, and is not out of pure chance. */
  guessable?(credential: string): boolean;
  /** Challenges for who has shown nothing, beside `Bearer realm="…"`; such as `DPoP algs="ES256 EdDSA"`. */
  readonly challenges?: readonly string[];
  /** Whether somebody has taken the credential of this identity back since, so that even what runs has to end. */
  takenBack?(identity: Identity): boolean;
  /** Looks at what TLS says, where no credential was shown; undefined: nothing there to go by. */
  fromConnection?(exchange: Exchange): AuthVerdict | undefined;
}

/** Whether somebody was let in. */
export function isIdentity(verdict: AuthVerdict): verdict is Identity {
  return (verdict as AuthFailure).failed === undefined;
}
