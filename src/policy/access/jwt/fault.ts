/**
 * Why a token is not accepted. The words help an honest client to mend what it does; they hold nothing of what it sent and
 * nothing about keys, and tell a forger no more than a stranger: what is judged by the settings before the signature has
 * one sentence in common with a wrong signature, so that nobody finds out by trial which audiences and tenants there are.
 * Operators see by the reason (`failed`) which it was.
 */
import type { AuthFailure, FailureReason } from '../authenticator.ts';

/** Milliseconds after which trying again makes sense when something is not available. */
const RETRY_MS = 1000;

const token = (failed: FailureReason, message: string): AuthFailure => ({ failed, message });
const proof = (failed: FailureReason, message: string): AuthFailure => ({
  failed,
  message,
  error: 'invalid_dpop_proof',
  scheme: 'DPoP',
});
const later = (message: string): AuthFailure => ({ failed: 'unavailable', message, retryAfterMs: RETRY_MS });

/** Said of all that a forger could find out about our settings. */
const NOT_HERE =
  'the token is not valid here: it was not signed by its issuer, or with a key that it has taken back, or it is for ' +
  'another audience, or its claims or what it is bound to are not those that are asked for here';

/** Every reason, as it is answered. */
export const FAULTS = {
  malformed: token('malformed', 'the token is not a signed JWT in compact form'),
  oversized: token('malformed', 'the token is larger than is accepted here'),
  encrypted: token('unsupported', 'encrypted tokens are not accepted here; send a signed one'),
  critical: token('unsupported', 'the token asks for an extension that is not known here (crit)'),
  type: token('unsupported', 'the token is of a kind that gives no access (typ); send an access token'),
  algorithm: token('unsupported', 'the signature algorithm of the token is not accepted here'),
  issuer: token('wrong_issuer', 'the issuer of the token is not trusted here'),
  audience: token('wrong_audience', NOT_HERE),
  expired: token('expired', 'the token has expired; get a new one'),
  notYetValid: token('not_yet_valid', 'the token is not valid yet; check the clock of its issuer'),
  issuedInFuture: token('not_yet_valid', 'the token was issued in the future; check the clock of its issuer'),
  tooOld: token('expired', 'the token was issued too long ago; get a new one'),
  claim: token('claims', NOT_HERE),
  // Which keys there are is nobody's business either.
  unknownKey: token('bad_signature', NOT_HERE),
  signature: token('bad_signature', NOT_HERE),
  revoked: token('revoked', 'the token has been revoked; log in anew'),
  unbound: token('proof', NOT_HERE),
  certificate: token('proof', 'the token is bound to another client certificate than the one that was shown'),
  certificateMissing: token('proof', 'the token is bound to a client certificate, and none was shown; connect with it'),
  binding: token('proof', NOT_HERE),
  scheme: { ...proof('proof', 'the token is bound to a key: send it as DPoP, with a proof'), error: 'invalid_token' },
  proofKey: { ...proof('proof', 'the token is not bound to the key of the proof'), error: 'invalid_token' },
  proofMissing: proof('proof', 'send exactly one DPoP proof with the token'),
  proofMalformed: proof('proof', 'the DPoP proof is not what RFC 9449 asks for'),
  proofSignature: proof('proof', 'the signature of the DPoP proof is wrong'),
  proofMethod: proof('proof', 'the DPoP proof is for another method (htm)'),
  proofAddress: proof('proof', 'the DPoP proof is for another address (htu)'),
  proofToken: proof('proof', 'the DPoP proof is for another token (ath)'),
  proofTime: proof('proof', 'the DPoP proof was not made just now (iat); check the clock'),
  proofReplayed: proof('replayed', 'the DPoP proof has been used before (jti); make a new one for each request'),
  keysUnavailable: later('the keys of the token issuer could not be fetched yet; try again soon'),
  replayUnavailable: later('DPoP proofs cannot be checked for replay at the moment; try again soon'),
} as const satisfies Record<string, AuthFailure>;

/** What is answered to a proof without the nonce of the day, which is no attack (RFC 9449 §9). */
export function nonceFault(nonce: string): AuthFailure {
  return {
    failed: 'proof',
    message: 'use the nonce of the DPoP-Nonce field in the proof',
    error: 'use_dpop_nonce',
    scheme: 'DPoP',
    harmless: true,
    fields: [
      ['DPoP-Nonce', nonce],
      ['Cache-Control', 'no-store'],
    ],
  };
}

/** The name of a reason. */
export type Fault = keyof typeof FAULTS;

/** What NOT_HERE keeps from clients. */
const EXACT: Partial<Record<Fault, string>> = {
  audience: 'the token is for another audience',
  claim: 'the token lacks a claim that is asked for here, or has another value in it',
};

/** A reason as operators are told it. */
export const reasonOf = (fault: Fault): string => EXACT[fault] ?? FAULTS[fault].message;
