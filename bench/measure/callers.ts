/** Who calls in the scenarios with access control: keys, a token, and a token that is bound to a key of the client. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mintKey } from '../../src/policy/access/key.ts';
import type { ProofMaker } from '../load/proof.ts';

/** How the callers of a scenario show who they are. */
export type Caller = 'apiKey' | 'jwt' | 'dpop';

/** Keys that take turns. */
const KEYS = 5000;
/** The issuer that has signed the tokens. */
export const ISSUER = 'https://issuer.bench';
/** Whom the tokens are meant for. */
export const AUDIENCE = 'https://gateway.bench';

/** What the proxies need to know in order to let callers in. */
export interface Callers {
  keys: readonly string[];
  /** File with the issuer's public key, as PEM. */
  issuerKey: string;
}

/** Callers of one run, made once. */
export interface CallerSet extends Callers {
  /** Header lines of the requests of such callers, to take turns with. */
  fields(caller: Caller): string[];
  /** What makes a proof for each request of the caller that has to. */
  proof: ProofMaker;
}

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Makes keys and tokens; the issuer's public key goes into the folder. */
export function makeCallers(folder: string): CallerSet {
  const issuer = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const issuerKey = `${folder}/issuer.pem`;
  writeFileSync(issuerKey, issuer.publicKey.export({ type: 'spki', format: 'pem' }));
  const client = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = client.publicKey.export({ format: 'jwk' });
  const thumbprint = createHash('sha256')
    .update(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }))
    .digest('base64url');
  const keys = Array.from({ length: KEYS }, () => mintKey('live'));
  const now = Math.floor(Date.now() / 1000);
  const token = (more: object) => {
    const claims = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'alice',
      scope: 'inference',
      iat: now,
      exp: now + 36_000,
      ...more,
    };
    const signed = `${base64({ alg: 'RS256', typ: 'at+jwt' })}.${base64(claims)}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), issuer.privateKey).toString('base64url')}`;
  };
  const plain = token({});
  const bound = token({ cnf: { jkt: thumbprint } });
  return {
    keys,
    issuerKey,
    proof: {
      key: client.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      header: base64({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y } }),
      method: 'POST',
      uri: 'http://gateway.bench/v1/chat/completions',
      tokenHash: createHash('sha256').update(bound).digest('base64url'),
    },
    fields(caller) {
      if (caller === 'apiKey') return keys.map((key) => `Authorization: Bearer ${key}\r\n`);
      return [caller === 'jwt' ? `Authorization: Bearer ${plain}\r\n` : `Authorization: DPoP ${bound}\r\n`];
    },
  };
}
