/** Which certificates of clients are accepted, and what is told about them. */
import { createHash, type X509Certificate } from 'node:crypto';
import { alternativeNames } from '../certificate/facts.ts';
import type { ClientCertificate } from '../kernel/identity.ts';
import type { ClientCertificatesConfig } from './tlsconfig.ts';

/** Why a client is not let in: the kind of fault, and words for the log that name the rule. */
export interface Refusal {
  readonly fault: 'client_certificate_missing' | 'client_certificate_untrusted' | 'client_certificate_not_allowed';
  readonly reason: string;
}

/** What Node calls an alternative name → what it is called here. */
const TYPES: Readonly<Record<string, string>> = { 'IP Address': 'IP' };
/** Rules that a refusal speaks of, and characters of a text that anybody may have written. */
const MOST_RULES = 5;
const MOST_TEXT = 300;
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
  if (shown.notAfter <= now) return { fault: 'client_certificate_untrusted', reason: 'CERT_HAS_EXPIRED' };
  const hex = hexOf(shown);
  for (const rule of config.allow) {
    // A fingerprint vouches where no authority is asked, or the authority is not known; never for what is revoked.
    const vouched = rule.fingerprint === hex && (config.ca === undefined || UNKNOWN_AUTHORITY.has(trouble));
    if ((trusted || vouched) && unmet(rule, shown, hex) === '') return undefined;
  }
  if (trusted && config.allow.length === 0) return undefined;
  if (!trusted) return { fault: 'client_certificate_untrusted', reason: trouble || 'not verified' };
  const why = config.allow.slice(0, MOST_RULES).map((rule, at) => `allow[${at}]: ${unmet(rule, shown, hex)}`);
  if (config.allow.length > MOST_RULES) why.push(`${config.allow.length - MOST_RULES} more`);
  return { fault: 'client_certificate_not_allowed', reason: `no rule lets it in (${why.join('; ')})` };
}

/** What a rule wants and a certificate has not; '' when it has everything. */
function unmet(rule: ClientCertificatesConfig['allow'][number], shown: ClientCertificate, hex: string): string {
  const { name, subject, fingerprint } = rule;
  if (fingerprint !== undefined && fingerprint !== hex) return `its fingerprint is not ${fingerprint.slice(0, 16)}…`;
  if (subject !== undefined && subject !== shown.subject) return `its subject is not ${subject}`;
  if (name !== undefined && !shown.names.some((one) => matches(name, one))) return `no name of it is ${name}`;
  return '';
}

/** SHA-256 of a certificate as openssl prints it, in lower case and without colons. */
function hexOf({ thumbprint }: ClientCertificate): string {
  return Buffer.from(thumbprint, 'base64url').toString('hex');
}

/** What is told of a certificate that was refused, for the log. */
export function described(shown: ClientCertificate | undefined): Record<string, string> {
  if (shown === undefined) return {};
  const { subject, issuer, names } = shown;
  const cut = (text: string) => (text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text);
  return { subject: cut(subject), issuer: cut(issuer), names: cut(names.join(', ')), fingerprint: hexOf(shown) };
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
