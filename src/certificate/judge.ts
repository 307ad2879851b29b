/** Whether a certificate and key may be taken over. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { type CertificateFacts, factsOfCertificate, type Pair } from './facts.ts';

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** What the pair says about itself. Throws an `Error` that says what is wrong with it. `now`: milliseconds since 1970. */
export function checkedFacts(pair: Pair, now: number): CertificateFacts {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(pair.certificate);
  } catch {
    throw new Error('the certificate cannot be read; is it cut short or damaged?');
  }
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(pair.key);
  } catch {
    throw new Error('the private key cannot be read; is it cut short, damaged or encrypted?');
  }
  if (!leaf.checkPrivateKey(key)) throw new Error('the key does not belong to the certificate');
  const facts = factsOfCertificate(leaf);
  if (facts.names.length === 0) throw new Error('the certificate is for no name');
  if (facts.notAfter <= now) throw new Error(`the certificate expired on ${day(facts.notAfter)}`);
  if (facts.notBefore > now) throw new Error(`the certificate is valid only from ${day(facts.notBefore)}`);
  try {
    createSecureContext({ cert: pair.certificate, key: pair.key });
  } catch (error) {
    throw new Error(`TLS refuses it: ${(error as Error).message}`);
  }
  return facts;
}
