/** People log in at the admin port by a real OpenID provider. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type Gateway, startGateway } from '../gateway.ts';
import { importPeer, needs } from '../peers.ts';
import { freePort } from '../port.ts';
import { Browser } from './browser.ts';

interface Provider {
  default: new (issuer: string, settings: object) => { callback(): RequestListener };
}

const required = needs({ peers: ['oidc-provider'] });
const GROUPS: Record<string, string[]> = { alice: ['staff', 'platform'], bob: ['support'], mallory: ['guests'] };
const SECRET = 'a-secret-of-the-tests';

describe('login by an OpenID provider', required, () => {
  let server: Server;
  let gateway: Gateway;

  before(async () => {
    if (required.skip) return;
    const { default: Provider } = await importPeer<Provider>('oidc-provider');
    let handle: RequestListener = () => {};
    server = createServer((request, response) => handle(request, response));
    // Who comes back on a connection finds it open.
    server.keepAliveTimeout = 600_000;
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const url = `http://127.0.0.1:${await freePort()}`;
    const provider = new Provider(issuer, {
      clients: [{ client_id: 'gatehouse', client_secret: SECRET, redirect_uris: [`${url}/auth/callback`] }],
      claims: { openid: ['sub'], email: ['email'], groups: ['groups'] },
      pkce: { required: () => true },
      findAccount: (_context: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, email: `${id}@example.com`, groups: GROUPS[id] }),
      }),
    });
    handle = provider.callback();
    gateway = await startGateway({
      listeners: { public: { address: '127.0.0.1:0' } },
      admin: {
        address: new URL(url).host,
        access: {
          session: '1h',
          oidc: {
            issuer,
            clientId: 'gatehouse',
            clientSecret: SECRET,
            url,
            scopes: ['openid', 'email', 'groups'],
            roles: { platform: 'admin', support: 'viewer' },
          },
        },
      },
      upstreams: { none: { endpoints: [{ url: 'http://127.0.0.1:9' }] } },
      routes: [{ name: 'all', upstream: 'none' }],
    });
  });
  after(async () => {
    await gateway?.stop();
    server?.closeAllConnections();
    server?.close();
  });

  /** From the page that asks who it is to the page that greets. */
  async function logIn(name: string): Promise<{ browser: Browser; status: number; text: string }> {
    const browser = new Browser();
    let page = await browser.get(`${gateway.adminUrl}/`);
    for (let steps = 0; steps < 4 && page.form !== undefined; steps++) {
      page = await browser.post(page.form, { ...page.hidden, login: name, password: 'any' });
    }
    return { browser, status: page.status, text: page.text };
  }

  test('who is in a group gets its role, in a cookie that no script reads and no other site sends', async () => {
    const { browser, status, text } = await logIn('alice');
    assert.equal(status, 200, text);
    assert.match(text, /Welcome, alice@example\.com/);
    const [cookie = ''] = browser.received.filter((one) => /^gatehouse_session=./.test(one));
    assert.match(cookie, /; HttpOnly; SameSite=Strict$/);
    const begun = browser.received.find((one) => /^gatehouse_login=./.test(one)) ?? '';
    assert.match(begun, /; HttpOnly; SameSite=Lax$/);
    assert.ok(
      browser.received.some((one) => one.startsWith('gatehouse_login=;')),
      'the login under way is forgotten',
    );
    const page = await browser.get(`${gateway.adminUrl}/`);
    assert.deepEqual([page.status, page.text.includes('<h1>Gatehouse')], [200, true]);
    const made = await browser.json('POST', `${gateway.adminUrl}/api/v1/admins`, { name: 'x', role: 'viewer' });
    assert.equal(made.status, 201);
    const { body } = await browser.json('GET', `${gateway.adminUrl}/api/v1/changes`);
    assert.match(JSON.stringify(body), /"who":"alice@example\.com"/);
    const foreign = await browser.json(
      'POST',
      `${gateway.adminUrl}/api/reload`,
      {},
      { origin: 'https://evil.example' },
    );
    assert.equal(foreign.status, 403);
    const out = await browser.json('POST', `${gateway.adminUrl}/auth/logout`);
    assert.equal(out.status, 204);
    assert.equal((await browser.json('GET', `${gateway.adminUrl}/api/status`)).status, 401);
  });

  test('a viewer looks and changes nothing', async () => {
    const { browser } = await logIn('bob');
    assert.equal((await browser.json('GET', `${gateway.adminUrl}/api/status`)).status, 200);
    assert.equal((await browser.json('POST', `${gateway.adminUrl}/api/reload`)).status, 403);
  });

  test('who is in no group is not let in', async () => {
    const { browser, status, text } = await logIn('mallory');
    assert.equal(status, 403, text);
    assert.match(text, /mallory@example\.com is in none of the groups/);
    assert.equal((await browser.json('GET', `${gateway.adminUrl}/api/status`)).status, 401);
  });

  test('a way back that nobody began, a stolen code and a spoiled cookie are refused', async () => {
    const direct = await fetch(`${gateway.adminUrl}/auth/callback?code=x&state=y`);
    assert.equal(direct.status, 400);
    const browser = new Browser();
    await browser.get(`${gateway.adminUrl}/auth/login`);
    const wrong = await browser.get(`${gateway.adminUrl}/auth/callback?code=x&state=y`);
    assert.equal(wrong.status, 401, 'another state than the one that was sent');
    assert.doesNotMatch(wrong.text, /gatehouse_login=|verifier/);
    for (const value of ['nonsense', 'a'.repeat(200), '']) {
      const answer = await fetch(`${gateway.adminUrl}/api/status`, {
        headers: { cookie: `gatehouse_session=${value}` },
      });
      assert.equal(answer.status, 401, value);
    }
  });

  test('a provider that is gone ends no login, and nothing else suffers', async () => {
    const { browser } = await logIn('bob');
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    assert.equal((await browser.json('GET', `${gateway.adminUrl}/api/status`)).status, 200, 'who is in stays in');
    const begun = await fetch(`${gateway.adminUrl}/auth/login`, { redirect: 'manual' });
    assert.equal(begun.status, 303, 'the provider is known already');
    assert.equal((await fetch(`${gateway.adminUrl}/healthz`)).status, 200);
  });
});
