/** What is signed for a certificate: the request to an authority (RFC 2986), and the proof of tls-alpn-01 (RFC 8737). */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { bits, der, integer, octets, oid, pem, sequence, set, TRUE, time, utf8 } from './der.ts';
import type { Pair } from './facts.ts';

const COMMON_NAME = '2.5.4.3';
const ALTERNATIVE_NAME = '2.5.29.17';
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31';
const DAY_MS = 86_400_000;

/** A new private key. */
export function newKey(type: 'ecdsa' | 'rsa'): KeyObject {
  return type === 'ecdsa'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

/** A key as PEM (PKCS #8). */
export const keyText = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;

/** Asks for a certificate for these names, in DER. The subject stays empty: names are alternative names. */
export function certificateRequest(key: KeyObject, names: readonly string[]): Buffer {
  const extensions = sequence(sequence(oid(ALTERNATIVE_NAME), octets(sequence(...names.map(generalName)))));
  const body = sequence(
    integer(Buffer.of(0)),
    sequence(),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    der(0xa0, sequence(oid(EXTENSION_REQUEST), set(extensions))),
  );
  return signed(body, key);
}

/**
 * The certificate that answers a tls-alpn-01 challenge: it signs itself, names the domain, and carries the digest of the
 * key authorization in a critical extension. `now`: milliseconds since 1970.
 */
export function challengeCertificate(domain: string, keyAuthorization: string, now: number): Pair {
  const key = newKey('ecdsa');
  const name = sequence(set(sequence(oid(COMMON_NAME), utf8('acme challenge'))));
  const digest = createHash('sha256').update(keyAuthorization).digest();
  const serial = randomBytes(16);
  const body = sequence(
    der(0xa0, integer(Buffer.of(2))),
    integer(serial),
    algorithmOf(key),
    name,
    sequence(time(now - DAY_MS), time(now + DAY_MS)),
    name,
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        sequence(oid(ALTERNATIVE_NAME), octets(sequence(generalName(domain)))),
        sequence(oid(ACME_IDENTIFIER), TRUE, octets(octets(digest))),
      ),
    ),
  );
  return { certificate: pem('CERTIFICATE', signed(body, key)), key: keyText(key) };
}

function algorithmOf(key: KeyObject): Buffer {
  return key.asymmetricKeyType === 'rsa'
    ? sequence(oid('1.2.840.113549.1.1.11'), der(0x05))
    : sequence(oid('1.2.840.10045.4.3.2'));
}

function signed(body: Buffer, key: KeyObject): Buffer {
  return sequence(body, algorithmOf(key), bits(sign('sha256', body, key)));
}

function generalName(name: string): Buffer {
  if (isIP(name) === 4) return der(0x87, Buffer.from(name.split('.').map(Number)));
  return der(0x82, Buffer.from(name, 'latin1'));
}
