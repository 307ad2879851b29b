/** When a certificate is renewed, and when a failed attempt is made again. Pure; times are milliseconds since 1970. */
import { X509Certificate } from 'node:crypto';
import type { CertificateFacts } from './facts.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** A moment in the window that the authority suggests, else soon after two thirds of its life. `chance`: from 0 to 1. */
export function renewAt(
  facts: Pick<CertificateFacts, 'notBefore' | 'notAfter'>,
  window: { start: number; end: number } | undefined,
  chance: number,
): number {
  if (window !== undefined) return window.start + (window.end - window.start) * chance;
  const life = facts.notAfter - facts.notBefore;
  // Spread over a thirtieth of its life, so that many that were issued together are not renewed together.
  return facts.notBefore + life * (2 / 3 + chance / 30);
}

/** How long to wait after so many failures in a row (1: the first). */
export function waitAfter(failures: number, chance: number): number {
  return Math.min(DAY_MS, MINUTE_MS * 2 ** Math.min(failures - 1, 20)) * (0.75 + chance / 2);
}

/**
 * What a certificate is called where renewal information is asked for (RFC 9773 §4.1): key identifier of its issuer and serial
 * number. Undefined when it names no issuer's key.
 */
export function renewalId(pem: string): string | undefined {
  const { raw, serialNumber } = new X509Certificate(pem);
  const at = raw.indexOf(AUTHORITY_KEY_IDENTIFIER);
  if (at < 0) return undefined;
  // OCTET STRING, SEQUENCE, [0]: all short.
  const value = raw.subarray(at + AUTHORITY_KEY_IDENTIFIER.length);
  if (value[0] !== 0x04 || value[2] !== 0x30 || value[4] !== 0x80) return undefined;
  const key = value.subarray(6, 6 + (value[5] as number));
  const digits = serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`;
  const serial = Buffer.from(digits, 'hex');
  const signed = (serial[0] as number) >= 0x80 ? Buffer.concat([Buffer.of(0), serial]) : serial;
  return `${key.toString('base64url')}.${signed.toString('base64url')}`;
}

const AUTHORITY_KEY_IDENTIFIER = Buffer.from('0603551d23', 'hex');
