/** What a certificate says about itself, read once: names, key, dates. */
import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate chain with its key, as PEM text. */
export interface Pair {
  /** The server's own certificate first, then what leads to the authority. */
  readonly certificate: string;
  readonly key: string;
  /** DER of an OCSP response, to be stapled. */
  readonly ocsp?: Uint8Array | undefined;
}

/** What the first certificate of a chain says. Times are milliseconds since 1970. */
export interface CertificateFacts {
  /** DNS names and IP addresses, in lower case; the common name when it has no alternative names. */
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  /** `ec`, `rsa`, `ed25519` …: one context holds one of each kind. */
  readonly kind: string;
  readonly issuer: string;
  /** SHA-256 of the DER form, in hexadecimal. */
  readonly fingerprint: string;
  /** The authority wants an OCSP response stapled (RFC 7633). */
  readonly mustStaple: boolean;
}

/** DER of the TLS feature extension's object identifier, 1.3.6.1.5.5.7.1.24. */
const TLS_FEATURE = Buffer.from('06082b06010505070118', 'hex');

/** Reads the first certificate of a PEM text. Throws when there is none, or when it is damaged. */
export function factsOf(pem: string): CertificateFacts {
  return factsOfCertificate(new X509Certificate(pem));
}

/** The same of a certificate that has been read. */
export function factsOfCertificate(one: X509Certificate): CertificateFacts {
  const alternative = alternativeNames(one.subjectAltName ?? '');
  const listed = alternative.filter(({ type }) => type === 'DNS' || type === 'IP Address').map(({ value }) => value);
  const common = /(?:^|\n)CN=(.*)/.exec(one.subject ?? '')?.[1];
  const names = one.subjectAltName === undefined && common !== undefined ? [common] : listed;
  return {
    names: [...new Set(names.map(plainName))],
    notBefore: Date.parse(one.validFrom),
    notAfter: Date.parse(one.validTo),
    kind: one.publicKey.asymmetricKeyType ?? 'unknown',
    issuer: (one.issuer ?? '').replaceAll('\n', ', '),
    fingerprint: createHash('sha256').update(one.raw).digest('hex'),
    mustStaple: one.raw.includes(TLS_FEATURE),
  };
}

/** Splits what Node makes of an alternative name extension: `DNS:a, URI:"b, c"`. */
export function alternativeNames(text: string): { type: string; value: string }[] {
  const found: { type: string; value: string }[] = [];
  for (const [, type = '', quoted, plain] of text.matchAll(/(?:^|, )([A-Za-z ]+):(?:"((?:[^"\\]|\\.)*)"|([^,]*))/g)) {
    found.push({ type, value: quoted === undefined ? (plain ?? '') : unquoted(quoted) });
  }
  return found;
}

function unquoted(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

/** A name as it is looked up: lower case, no dot at its end. */
export function plainName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/**
 * Where a name with a wildcard in its first label is found: the part behind it. Undefined when it is no wildcard, or
 * one that covers a whole top-level domain, which no client accepts.
 */
export function wildcardSuffix(name: string): string | undefined {
  if (!name.startsWith('*.')) return undefined;
  const suffix = name.slice(2);
  return suffix.includes('.') && !suffix.includes('*') ? suffix : undefined;
}

/** The part of a host that a wildcard would have to end with: all but its first label; undefined when there is none. */
export function suffixOf(host: string): string | undefined {
  const dot = host.indexOf('.');
  return dot <= 0 || isIP(host) !== 0 ? undefined : host.slice(dot + 1);
}

/** Whether a certificate with these names may answer for a host: one label for a wildcard (RFC 9525 §6.3). */
export function coversHost(names: ReadonlySet<string>, host: string): boolean {
  if (names.has(host)) return !host.startsWith('*');
  const suffix = suffixOf(host);
  return suffix?.includes('.') === true && names.has(`*.${suffix}`);
}
