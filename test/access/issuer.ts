/** A stand-in issuer of tokens on a free port: keys that can be rotated, taken away, or answered wrongly. */
import type { webcrypto } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { freePort } from '../port.ts';

/** A key of the issuer. */
export interface IssuerKey {
  privateKey: webcrypto.CryptoKey;
  jwk: JWK;
}

/** A running issuer. */
export interface Issuer {
  /** Its `iss`, and where it is. */
  url: string;
  /** What its JWKS holds. */
  keys: IssuerKey[];
  /** How often its JWKS was asked for. */
  asked: number;
  /** Answers instead of the JWKS. */
  answer: ((response: ServerResponse) => void) | undefined;
  /** A token of the first key, good for the gateway `audience`. */
  token(claims?: Record<string, unknown>, key?: IssuerKey): Promise<string>;
  /** Stops answering; `listen` begins again at the same address. */
  close(): Promise<void>;
  listen(): Promise<void>;
}

/** What tokens of these tests are for. */
export const AUDIENCE = 'https://api.example.com';

/** Makes a key. */
export async function makeKey(alg = 'ES256'): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return { privateKey, jwk: { ...jwk, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) } };
}

/** Starts an issuer with one key. */
export async function startIssuer(): Promise<Issuer> {
  const port = await freePort();
  let server: ReturnType<typeof createServer>;
  const issuer: Issuer = {
    url: `http://127.0.0.1:${port}`,
    keys: [await makeKey()],
    asked: 0,
    answer: undefined,
    token(claims = {}, key = issuer.keys[0] as IssuerKey) {
      return new SignJWT({ scope: 'inference', jti: crypto.randomUUID(), ...claims })
        .setProtectedHeader({ alg: key.jwk.alg as string, kid: key.jwk.kid as string, typ: 'at+jwt' })
        .setIssuer(issuer.url)
        .setAudience(AUDIENCE)
        .setSubject('alice')
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(key.privateKey);
    },
    async listen() {
      server = createServer((request, response) => {
        if (request.url !== '/jwks') {
          const document = { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` };
          response.writeHead(request.url === '/.well-known/openid-configuration' ? 200 : 404);
          response.end(JSON.stringify(document));
          return;
        }
        issuer.asked++;
        if (issuer.answer) issuer.answer(response);
        else response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }));
      });
      await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  await issuer.listen();
  return issuer;
}
