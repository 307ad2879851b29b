/** Settings of TLS on a listener: certificates, what it speaks, whom it asks for a certificate. */
import { z } from 'zod';
import { count, distinguishedName, duration } from '../kernel/schema.ts';

/** A name that a certificate can be issued for without DNS records. */
const issuable = z
  .string()
  .regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/i,
    'expected a host name such as api.example.com; a wildcard cannot be had by http-01 or tls-alpn-01',
  );

const pair = z.strictObject({
  certificate: z.string().describe('PEM file with the certificate and its chain.'),
  key: z.string().describe('PEM file with the private key.'),
  ocsp: z
    .string()
    .optional()
    .describe(
      'File with the OCSP response (DER) that is stapled to the handshake; something outside has to keep it fresh.',
    ),
});

const clientRule = z
  .strictObject({
    name: z
      .string()
      .regex(/^(DNS|URI|email|IP):.+$/, 'expected DNS:…, URI:…, email:… or IP:…')
      .optional()
      .describe(
        'An alternative name of the certificate, such as `URI:spiffe://example.com/agent`; `*` at the end matches any ending.',
      ),
    subject: distinguishedName
      .optional()
      .describe('The whole subject on one line, in the order of the certificate, such as `O=Example, CN=agent`.'),
    fingerprint: z
      .string()
      .transform((text) => text.replaceAll(':', '').toLowerCase())
      .pipe(
        z
          .string()
          .regex(/^[0-9a-f]{64}$/, 'expected SHA-256 in hexadecimal, as openssl x509 -fingerprint -sha256 prints it'),
      )
      .optional()
      .describe('SHA-256 of the certificate. It vouches for it even without an authority.'),
  })
  .refine((rule) => Object.values(rule).some((value) => value !== undefined), 'expected name, subject or fingerprint')
  .describe('What a certificate must have; all that one rule says.');

/** `listeners.NAME.tls.clientCertificates`. */
export const clientCertificatesConfig = z
  .strictObject({
    mode: z
      .enum(['require', 'request'])
      .default('require')
      .describe('`request` lets clients without a certificate in; one that is shown must be right all the same.'),
    ca: z
      .string()
      .optional()
      .describe('PEM file with the authorities that are trusted to issue certificates of clients.'),
    crl: z
      .string()
      .optional()
      .describe(
        'PEM file with the revocation list of every authority on the way. When a list has run out, its certificates are refused.',
      ),
    allow: z
      .array(clientRule)
      .default([])
      .describe('A certificate must fulfil one of these; without any, every one of the authorities is good.'),
  })
  .refine((one) => one.ca !== undefined || (one.allow.length > 0 && one.allow.every((rule) => rule.fingerprint)), {
    message: 'expected ca, or only rules with a fingerprint: nothing else vouches for a certificate',
  })
  .describe('Certificates of clients (mutual TLS).');

/** `listeners.NAME.tls.acme`. */
export const acmeConfig = z
  .strictObject({
    domains: z.array(issuable).default([]).describe('Names to get certificates for, one for each.'),
    directory: z
      .url({ protocol: /^https$/, error: 'expected an https:// URL' })
      .default('https://acme-v02.api.letsencrypt.org/directory')
      .describe('Directory of the certification authority.'),
    agreeToTerms: z
      .literal(true, { error: 'expected true: the authority wants its terms to be agreed to; read them first' })
      .describe("That you agree to the authority's terms of service."),
    email: z.email().optional().describe('Where the authority may write to.'),
    challenge: z
      .enum(['tls-alpn-01', 'http-01'])
      .default('tls-alpn-01')
      .describe(
        'How control of a name is shown: on this listener, which must be reached at port 443, or by any plain listener that is reached at port 80.',
      ),
    ca: z.string().optional().describe("PEM file with the authority that the directory's own certificate is of."),
    externalAccount: z
      .strictObject({
        keyId: z.string().min(1).describe('Key identifier that the authority gave.'),
        key: z
          .string()
          .regex(/^[A-Za-z0-9_-]+={0,2}$/, 'expected base64url')
          .describe('MAC key in base64url.'),
      })
      .optional()
      .describe('Binding to an account that exists at the authority (RFC 8555 §7.3.4).'),
    keyType: z.enum(['ecdsa', 'rsa']).default('ecdsa').describe('P-256, or RSA of 2048 bits.'),
    folder: z
      .string()
      .default('acme')
      .describe(
        'Folder for the account and the certificates; it must outlive the program, and only its user may read it.',
      ),
  })
  .describe('Certificates from an authority that speaks ACME (RFC 8555), issued and renewed without further doing.');

/** `listeners.NAME.tls`. */
export const tlsConfig = z
  .strictObject({
    certificates: z
      .array(pair)
      .default([])
      .describe(
        'Certificates. The one whose names cover the server name (SNI) is shown; two with keys of different kinds go together.',
      ),
    policy: z
      .enum(['intermediate', 'modern'])
      .default('intermediate')
      .describe('`modern` is TLS 1.3 alone; `intermediate` also TLS 1.2 with forward secrecy, as Mozilla recommends.'),
    minVersion: z
      .enum(['TLSv1.2', 'TLSv1.3'])
      .optional()
      .describe("Oldest protocol version accepted, instead of the policy's."),
    ciphers: z
      .string()
      .min(1)
      .optional()
      .describe("Ciphers as OpenSSL names them, instead of the policy's, best first."),
    groups: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Key exchange groups as OpenSSL names them, instead of the policy's. On Node 24 and later X25519MLKEM768 comes first, which withstands quantum computers.",
      ),
    unknownName: z
      .enum(['default', 'refuse'])
      .default('default')
      .describe(
        'What a client gets that asks for a name no certificate is for, or for none: the first certificate, or the alert unrecognized_name.',
      ),
    sessionTickets: z
      .strictObject({
        lifetime: duration('2h')
          .refine((ms) => ms <= 43_200_000, 'expected at most 12h')
          .describe('How long a client may resume its session, at any worker; 0: never.'),
      })
      .prefault({})
      .describe('Resumption by tickets. Their keys rotate every six hours.'),
    clientCertificates: clientCertificatesConfig.optional(),
    domains: z
      .strictObject({
        folder: z
          .string()
          .optional()
          .describe(
            'Folder with NAME.pem (or NAME.crt) and NAME.key, or NAME/fullchain.pem and NAME/privkey.pem. It is watched: what is put there is served within seconds.',
          ),
        store: z
          .boolean()
          .default(false)
          .describe('Also serve the domains that stand in the store (documents of kind `domain`).'),
        most: count(100_000, 1, 1_000_000).describe(
          'Certificates taken from the folder; further ones are reported and left out.',
        ),
      })
      .optional()
      .describe(
        "Further certificates that come and go while the program runs, such as those of customers' own domains.",
      ),
    acme: acmeConfig.optional(),
  })
  .refine((tls) => tls.certificates.length > 0 || tls.domains !== undefined || tls.acme !== undefined, {
    message: 'expected certificates, domains or acme',
  })
  .describe('TLS for connections to this listener.');

/** One listener's TLS settings after defaults. */
export type TlsConfig = z.output<typeof tlsConfig>;
/** The same of client certificates. */
export type ClientCertificatesConfig = z.output<typeof clientCertificatesConfig>;
/** The same of ACME. */
export type AcmeConfig = z.output<typeof acmeConfig>;
