/** Which certificates of clients are accepted, and what is told about them. */
import { createHash, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { alternativeNames } from '../certificate/facts.ts';
import type { ClientCertificate } from '../kernel/identity.ts';
import type { ClientCertificatesConfig } from './tlsconfig.ts';

/** Why a client is not let in: the kind of fault, and words for the log. */
export interface Refusal {
  readonly fault: 'client_certificate_missing' | 'client_certificate_untrusted' | 'client_certificate_not_allowed';
  readonly reason: string;
}

/** What Node calls an alternative name → what it is called here. */
const TYPES: Readonly<Record<string, string>> = { 'IP Address': 'IP' };
/** Names of one certificate that are kept. */
const MOST_NAMES = 50;

/** Tells what is known of a certificate. */
export function clientCertificateOf(one: X509Certificate): ClientCertificate {
  return {
    subject: (one.subject ?? '').replaceAll('\n', ', '),
    issuer: (one.issuer ?? '').replaceAll('\n', ', '),
    names: alternativeNames(one.subjectAltName ?? '')
      .slice(0, MOST_NAMES)
      .map(({ type, value }) => `${TYPES[type] ?? type}:${value}`),
    thumbprint: createHash('sha256').update(one.raw).digest('base64url'),
    notAfter: Date.parse(one.validTo),
  };
}

/**
 * Judges what a client has shown. `trusted`: an authority vouches for it and it is not revoked; `trouble`: why not.
 * `now`: milliseconds since 1970; a session that is resumed may bring a certificate that has expired meanwhile.
 */
export function judge(
  config: ClientCertificatesConfig,
  shown: ClientCertificate | undefined,
  trusted: boolean,
  trouble: string,
  now: number,
): Refusal | undefined {
  if (shown === undefined) {
    if (config.mode === 'request') return undefined;
    return { fault: 'client_certificate_missing', reason: 'it showed no certificate' };
  }
  const who = shown.subject === '' ? shown.thumbprint : shown.subject;
  if (shown.notAfter <= now) return { fault: 'client_certificate_untrusted', reason: `${who}: CERT_HAS_EXPIRED` };
  const hex = Buffer.from(shown.thumbprint, 'base64url').toString('hex');
  let known = false;
  for (const { name, subject, fingerprint } of config.allow) {
    if (fingerprint !== undefined && fingerprint !== hex) continue;
    if (fingerprint === undefined && !trusted) continue;
    // A fingerprint vouches where no authority is asked, or the authority is not known; never for what is revoked.
    if (!trusted && config.ca !== undefined && !UNKNOWN_AUTHORITY.has(trouble)) continue;
    if (subject !== undefined && subject !== shown.subject) continue;
    if (name !== undefined && !shown.names.some((one) => matches(name, one))) continue;
    known = true;
    break;
  }
  if (known || (trusted && config.allow.length === 0)) return undefined;
  if (!trusted) return { fault: 'client_certificate_untrusted', reason: `${who}: ${trouble || 'not verified'}` };
  return { fault: 'client_certificate_not_allowed', reason: `${who} fulfils no rule of clientCertificates.allow` };
}

const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_CRL',
]);

function matches(rule: string, name: string): boolean {
  return rule.endsWith('*') ? name.startsWith(rule.slice(0, -1)) : rule === name;
}

/** What a client has shown in its handshake, or in the one that it resumes. */
export function shownBy(socket: TLSSocket): ClientCertificate | undefined {
  const one = socket.getPeerX509Certificate();
  return one === undefined ? undefined : clientCertificateOf(one);
}
