/** A real OpenID provider issues access tokens, plain and bound to a key; a real DPoP client uses them. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { importPeer, needs } from '../peers.ts';
import type { Program } from '../program.ts';
import { decided } from '../workers.ts';

interface Dpop {
  generateKeyPair(alg: string): Promise<webcrypto.CryptoKeyPair>;
  generateProof(
    pair: webcrypto.CryptoKeyPair,
    htu: string,
    htm: string,
    nonce?: string,
    token?: string,
  ): Promise<string>;
}
interface Provider {
  default: new (issuer: string, settings: object) => { callback(): RequestListener };
}

const AUDIENCE = 'https://api.example.com';
const required = needs({ peers: ['oidc-provider', 'dpop'] });

describe('an OpenID provider', required, () => {
  let server: Server;
  let issuer: string;
  let simulator: Program & { url: string };
  let gateway: Gateway;
  let dpop: Dpop;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-oidc-'));

  before(async () => {
    if (required.skip) return;
    const { default: Provider } = await importPeer<Provider>('oidc-provider');
    dpop = await importPeer<Dpop>('dpop');
    let handle: RequestListener = () => {};
    server = createServer((request, response) => handle(request, response));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const jwks = ['ec', 'rsa', 'ed25519'].map((type) => {
      const { privateKey } =
        type === 'ec'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : type === 'rsa'
            ? generateKeyPairSync('rsa', { modulusLength: 2048 })
            : generateKeyPairSync('ed25519');
      return { ...privateKey.export({ format: 'jwk' }), kid: type, use: 'sig' };
    });
    const client = (id: string, more: object = {}) => ({
      client_id: id,
      client_secret: 'a-secret-of-the-tests',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      ...more,
    });
    const provider = new Provider(issuer, {
      clients: [client('app'), client('device', { dpop_bound_access_tokens: true })],
      jwks: { keys: jwks },
      scopes: ['inference', 'batch'],
      features: {
        clientCredentials: { enabled: true },
        dPoP: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => AUDIENCE,
          getResourceServerInfo: (_context: unknown, _resource: string, { clientId }: { clientId: string }) => ({
            scope: 'inference batch',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: clientId === 'app' ? 'RS256' : 'ES256' } },
          }),
        },
      },
      extraTokenClaims: () => ({ org: 'acme' }),
    });
    handle = provider.callback();
    simulator = await startSimulator();
    gateway = await startGateway({
      store: { driver: 'sqlite', path: join(folder, 'state.db') },
      listeners: { public: { address: '127.0.0.1:0' } },
      upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
      access: {
        issuers: {
          provider: {
            issuer,
            audiences: [AUDIENCE],
            type: 'at+jwt',
            tenants: ['acme'],
            claims: { principal: 'client_id', tenant: 'org' },
          },
        },
      },
      routes: [
        { name: 'api', match: { path: '/v1/*' }, access: { anyOf: ['jwt'], scopes: ['inference'] }, upstream: 'sim' },
      ],
      log: { access: 'stdout' },
    });
  });
  after(async () => {
    await gateway?.stop();
    await simulator?.stop();
    server?.closeAllConnections();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Asks the provider for a token. */
  async function tokenFor(id: string, scope: string, proof?: string): Promise<string> {
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${id}:a-secret-of-the-tests`).toString('base64')}`,
        ...(proof === undefined ? {} : { dpop: proof }),
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
    });
    const { access_token: token, ...rest } = (await answer.json()) as { access_token?: string };
    assert.ok(token, JSON.stringify(rest));
    return token;
  }

  test('issues a token that opens the door', async () => {
    const token = await tokenFor('app', 'inference');
    const models = () => fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await models()).status, 200);
    assert.equal((await models()).status, 200);
    await gateway.waitFor(/"auth.method":"jwt","principal":"provider:app"/);
  });

  test('issues a token without the scope that is asked for: 403', async () => {
    const token = await tokenFor('app', 'batch');
    const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 403);
    assert.match(answer.headers.get('www-authenticate') ?? '', /error="insufficient_scope".*scope="inference"/);
  });

  test('issues a token that is bound to a key', async () => {
    const pair = await dpop.generateKeyPair('ES256');
    const token = await tokenFor('device', 'inference', await dpop.generateProof(pair, `${issuer}/token`, 'POST'));
    const url = `${gateway.url}/v1/chat/completions`;
    const send = async (proof: string | undefined, scheme = 'DPoP') =>
      fetch(url, {
        method: 'POST',
        headers: {
          authorization: `${scheme} ${token}`,
          'content-type': 'application/json',
          ...(proof === undefined ? {} : { dpop: proof }),
        },
        body: JSON.stringify({ model: 'any', messages: [{ role: 'user', content: 'hi' }] }),
      });
    const first = await send(await dpop.generateProof(pair, url, 'POST', undefined, token));
    assert.equal(first.status, 401);
    const nonce = first.headers.get('dpop-nonce') ?? '';
    assert.match(first.headers.get('www-authenticate') ?? '', /^DPoP .*use_dpop_nonce/);
    let proof = '';
    const good = await decided(async () => {
      proof = await dpop.generateProof(pair, url, 'POST', nonce, token);
      return send(proof);
    });
    assert.equal(good.status, 200);
    assert.equal((await decided(() => send(proof))).status, 401);
    // Stolen: without the key it opens nothing.
    assert.equal((await send(undefined)).status, 401);
    assert.equal((await send(undefined, 'Bearer')).status, 401);
    const thief = await dpop.generateKeyPair('ES256');
    const stolen = await send(await dpop.generateProof(thief, url, 'POST', nonce, token));
    assert.equal(stolen.status, 401);
    assert.match(stolen.headers.get('www-authenticate') ?? '', /error="invalid_token"/);
  });
});
