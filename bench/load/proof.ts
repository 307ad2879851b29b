/** Proofs of possession (DPoP, RFC 9449), a new one for each request, as the load generator makes them. */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';

/** What a proof is made of. */
export interface ProofMaker {
  /** The client's private key (P-256) as PEM. */
  key: string;
  /** Header of the proof in base64url, with the public key in it. */
  header: string;
  method: string;
  uri: string;
  /** SHA-256 of the token in base64url. */
  tokenHash: string;
}

let read: { pem: string; key: KeyObject } | undefined;
let count = 0;

/** The header line of the next proof, with CRLF. */
export function proofField({ key, header, method, uri, tokenHash }: ProofMaker): string {
  if (read?.pem !== key) read = { pem: key, key: createPrivateKey(key) };
  const iat = Math.floor(Date.now() / 1000);
  const claims = { jti: `${process.pid}-${++count}-${iat}`, htm: method, htu: uri, iat, ath: tokenHash };
  const signed = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(signed), { key: read.key, dsaEncoding: 'ieee-p1363' });
  return `DPoP: ${signed}.${signature.toString('base64url')}\r\n`;
}
