/**
 * Whether an authority vouches for a certificate that was accepted before, by other authorities or revocation lists than then. A
 * handshake is judged by OpenSSL, which cannot be asked again without one: here it is asked what can have changed since.
 */
import { X509Certificate } from 'node:crypto';
import { blocks, listedAs, type RevocationList, readRevocationLists } from './crl.ts';

/** Certificates on the way to an authority. */
const MOST = 10;

/** Authorities, and the lists of what they have revoked. */
export class Authorities {
  readonly #trusted: readonly X509Certificate[];
  readonly #lists: readonly RevocationList[] | undefined;

  /** PEM texts; without `crl` nothing counts as revoked. Throws an `Error` when something cannot be read. */
  constructor(ca: string, crl: string | undefined) {
    this.#trusted = blocks(ca, 'CERTIFICATE').map((one) => new X509Certificate(one));
    this.#lists = crl === undefined ? undefined : readRevocationLists(crl);
  }

  /**
   * Why nobody vouches for a certificate, as OpenSSL calls it; '' when somebody does. What came with it in its handshake may be
   * on the way. `now`: milliseconds since 1970.
   */
  trouble(shown: X509Certificate, now: number): string {
    const sent: X509Certificate[] = [];
    for (let one = shown.issuerCertificate; one !== undefined && sent.length < MOST; one = one.issuerCertificate)
      if (one.ca) sent.push(one);
    let at = shown;
    for (let i = 0; i < MOST; i++) {
      const root = this.#trusted.find((one) => one.checkIssued(one) && vouches(one, at, now));
      const next = root ?? [...this.#trusted, ...sent].find((one) => one !== at && vouches(one, at, now));
      if (next === undefined) return 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
      const revoked = this.#revoked(at, now);
      if (revoked !== '') return revoked;
      if (root !== undefined) return '';
      at = next;
    }
    return 'CERT_CHAIN_TOO_LONG';
  }

  #revoked(one: X509Certificate, now: number): string {
    if (this.#lists === undefined) return '';
    const { issuer, serial } = listedAs(one.raw);
    const lists = this.#lists.filter((list) => list.issuer === issuer);
    if (lists.some(({ serials }) => serials.has(serial))) return 'CERT_REVOKED';
    if (lists.some(({ nextUpdate }) => now < nextUpdate)) return '';
    return lists.length === 0 ? 'UNABLE_TO_GET_CRL' : 'CRL_HAS_EXPIRED';
  }
}

function vouches(authority: X509Certificate, one: X509Certificate, now: number): boolean {
  if (now < Date.parse(authority.validFrom) || now >= Date.parse(authority.validTo)) return false;
  return one.checkIssued(authority) && one.verify(authority.publicKey);
}
