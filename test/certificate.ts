/** Throw-away certificates for tests, made without any tool: a minimal X.509 v3 writer (RFC 5280) over P-256 keys. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** A certificate with its key. */
export interface Certificate {
  /** PEM of the certificate. */
  certificate: string;
  /** PEM of the private key (PKCS #8). */
  key: string;
  name: string;
  privateKey: KeyObject;
}

/** What to make. */
export interface CertificateOptions {
  /** Common name. */
  name: string;
  /** DNS names and IPv4 addresses it covers; the common name when left out. */
  hosts?: string[];
  /** Validity, milliseconds since 1970. */
  from?: number;
  to?: number;
  /** Who signs; itself when left out. */
  issuer?: Certificate;
  /** Kind of key; P-256 when left out. */
  kind?: 'ec' | 'rsa';
  /** May it sign others? */
  authority?: boolean;
}

let serial = 1;

/** Makes a key and a certificate for it. */
export function makeCertificate(options: CertificateOptions): Certificate {
  const { publicKey, privateKey } =
    options.kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = options.issuer?.privateKey ?? privateKey;
  const algorithm = signer.asymmetricKeyType === 'rsa' ? RSA_SHA256 : ECDSA_SHA256;
  const from = options.from ?? Date.now() - 3_600_000;
  const to = options.to ?? Date.now() + 365 * 86_400_000;
  const extensions = sequence(
    extension('551d11', sequence(...(options.hosts ?? [options.name]).map(generalName))),
    extension('551d13', sequence(...(options.authority ? [der(0x01, Buffer.of(0xff))] : []))),
    // Which key has signed it: by this, with its serial, an authority knows it (RFC 9773 §4.1).
    ...(options.issuer ? [extension('551d23', sequence(der(0x80, keyIdentifier(options.issuer.name))))] : []),
  );
  const body = sequence(
    der(0xa0, integer(2)),
    integer(++serial),
    algorithm,
    distinguishedName(options.issuer?.name ?? options.name),
    sequence(time(from), time(to)),
    distinguishedName(options.name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
  const signature = sign('sha256', body, signer);
  const whole = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  const lines = whole.toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    name: options.name,
    privateKey,
  };
}

function der(tag: number, content: Buffer): Buffer {
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), content]);
}

const sequence = (...parts: Buffer[]) => der(0x30, Buffer.concat(parts));
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const integer = (value: number) =>
  der(0x02, Buffer.of(0, value >> 8, value & 0xff).subarray(value < 0x80 ? 2 : value < 0x8000 ? 1 : 0));
const RSA_SHA256 = sequence(oid('2a864886f70d01010b'), der(0x05, Buffer.alloc(0)));
const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const distinguishedName = (name: string) => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))));
const extension = (id: string, content: Buffer) => sequence(oid(id), der(0x04, content));

const keyIdentifier = (name: string) => createHash('sha1').update(name).digest();

function generalName(host: string): Buffer {
  const octets = host.split('.').map(Number);
  const address = octets.length === 4 && octets.every((octet) => octet >= 0 && octet < 256);
  return address ? der(0x87, Buffer.from(octets)) : der(0x82, Buffer.from(host));
}

/** GeneralizedTime, to the second. */
function time(at: number): Buffer {
  return der(0x18, Buffer.from(`${new Date(at).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`));
}
