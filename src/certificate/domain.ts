/** A customer's own domain, as it stands in the store: documents of kind `domain`, whose id is the name. */
import { z } from 'zod';
import type { CertificateFacts, Pair } from './facts.ts';
import { checkedFacts } from './judge.ts';

/** The document. Either a certificate with its key, or `acme`. */
export const domainDocument = z
  .strictObject({
    tenant: z
      .string()
      .max(128)
      .default('')
      .describe(
        'Customer it belongs to, to find it by. Who may come in by the name is decided by `domains` of the tenant.',
      ),
    listener: z.string().max(128).default('').describe('Listener it is served at; every TLS listener when empty.'),
    certificate: z.string().max(262_144).optional().describe('PEM of the certificate and its chain.'),
    key: z.string().max(65_536).optional().describe('PEM of the private key. Never shown again.'),
    acme: z
      .boolean()
      .default(false)
      .describe(
        'Have a certificate issued, by the `acme` settings of the listener (or of the only one that has some).',
      ),
  })
  .refine(
    (one) =>
      one.acme !== (one.certificate !== undefined) && (one.certificate === undefined) === (one.key === undefined),
    {
      message: 'expected certificate and key, or acme: true',
    },
  )
  .describe("A customer's own domain.");

/** See `domainDocument`. */
export type DomainDocument = z.output<typeof domainDocument>;

/** A document that has come, changed, or gone. */
export interface DomainDocumentChange {
  /** The domain. */
  id: string;
  /** Undefined: it has gone. */
  document: DomainDocument | undefined;
}

/** A host name that a certificate can be for; wildcards are good where the certificate is brought along. */
export const domainName = z
  .string()
  .regex(
    /^(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'expected a host name in lower case, such as chat.example.com',
  );

/**
 * Checks a document before it is stored. Returns what the certificate says, undefined with `acme`. Throws an `Error` that
 * says what is wrong: the key does not fit, it has expired, it is for other names. `now`: milliseconds since 1970.
 */
export function checkDomain(id: string, document: DomainDocument, now: number): CertificateFacts | undefined {
  const named = domainName.safeParse(id);
  if (!named.success) throw new Error(`"${id}": ${named.error.issues[0]?.message}`);
  const pair = pairOf(document);
  if (pair === undefined) {
    if (id.startsWith('*.'))
      throw new Error('a certificate for a wildcard cannot be had by ACME here: bring one along');
    return undefined;
  }
  const facts = checkedFacts(pair, now);
  if (!facts.names.includes(id)) {
    const wildcard = `*.${id.slice(id.indexOf('.') + 1)}`;
    if (!facts.names.includes(wildcard))
      throw new Error(`the certificate is for ${facts.names.join(', ')}, not for ${id}`);
  }
  return facts;
}

/** The certificate that a document brings along. */
export function pairOf({ certificate, key }: DomainDocument): Pair | undefined {
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}
