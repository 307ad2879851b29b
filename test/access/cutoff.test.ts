/** What runs or waits by a key or token that is taken back, or for a tenant that is switched off, ends at once; others go on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../../src/kernel/clock.ts';
import { mintKey } from '../../src/policy/access/key.ts';
import { digestKey } from '../../src/policy/access/pepper.ts';
import { revocationPut } from '../../src/policy/access/revocations.ts';
import { TENANT_KIND } from '../../src/policy/authorize/config.ts';
import { openStore } from '../../src/store/open.ts';
import { startGateway, startSimulator } from '../gateway.ts';
import { AUDIENCE, startIssuer } from './issuer.ts';

const PEPPER = 'a pepper that is long enough for this test';
const REVOKED = 'The credential of this request has been revoked.';

interface Stream {
  text: string;
  over: boolean;
  readonly ended: Promise<string>;
  leave(): void;
}

/** The write of a key. */
const keyPut = (id: string, key: string, more: object = {}) => ({
  ...{ op: 'put' as const, kind: 'key', id },
  value: { id, hash: digestKey(PEPPER, key).toString('base64url'), principal: id, ...more },
});

/** A gateway with keys of a store and an issuer; `narrow` is a server that takes one request at a time. */
async function start(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-cutoff-'));
  const path = join(folder, 'state.db');
  const store = await openStore({ driver: 'sqlite', path, lockTimeout: 60_000 }, folder, { clock: systemClock });
  const [lost, kept] = [mintKey('live'), mintKey('live')];
  await store.write([keyPut('key_lost', lost), keyPut('key_kept', kept)]);
  const issuer = await startIssuer();
  const simulator = await startSimulator('--tokens', '100000', '--rate', '50');
  const access = { anyOf: ['apiKey', 'jwt'] };
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 2,
    store: { driver: 'sqlite', path },
    access: {
      pepper: PEPPER,
      issuers: { corporate: { issuer: issuer.url, audiences: [AUDIENCE], claims: { tenant: 'tenant' } } },
    },
    plans: { team: {} },
    tenants: { acme: { plan: 'team' } },
    upstreams: {
      model: { protocol: 'openai', endpoints: [{ url: simulator.url }] },
      narrow: { protocol: 'openai', endpoints: [{ url: simulator.url, maxConcurrency: 1 }], queue: { wait: '60s' } },
    },
    routes: [
      { name: 'narrow', match: { headers: { 'X-Way': 'narrow' } }, upstream: 'narrow', access },
      { name: 'bodies', match: { model: 'seen' }, upstream: 'model', access },
      { name: 'all', upstream: 'model', access },
    ],
  });
  t.after(async () => {
    await gateway.stop();
    await simulator.stop();
    await issuer.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const order = (credential: string, more: Record<string, string>) => ({
    method: 'POST',
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json', ...more },
  });
  const at = `${gateway.url}/v1/chat/completions`;
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const send = (credential: string, more: Record<string, string> = {}) =>
    fetch(at, { ...order(credential, more), body });
  /** A stream that has begun; `text` grows, `ended` says how it came to its end. */
  const open = (credential: string, more: Record<string, string> = {}) =>
    new Promise<Stream>((resolve, reject) => {
      // Not by `fetch`, which drops what has come and was not read yet when a connection ends.
      const call = request(at, { ...order(credential, more), agent: false }, (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`status ${answer.statusCode}`));
        const ended = new Promise<string>((done) => {
          answer.once('end', () => done('whole')).once('error', () => done('cut'));
        });
        const stream: Stream = { text: '', over: false, ended, leave: () => call.destroy() };
        answer.setEncoding('utf8').on('data', (part: string) => {
          stream.text += part;
        });
        void ended.then(() => {
          stream.over = true;
        });
        resolve(stream);
      });
      call.once('error', reject).end(body);
    });
  const disable = () => store.write([keyPut('key_lost', lost, { disabled: true })]);
  return { store, gateway, issuer, lost, kept, send, open, disable };
}

const PATIENCE = { timeout: 180_000 };

test('what runs by a revoked key or token is cut off by an error event', PATIENCE, async (t) => {
  const { store, issuer, lost, kept, open, disable } = await start(t);
  const gone = await open(lost);
  const stays = await open(kept);
  const token = await open(await issuer.token({ sid: 'login-1' }));
  // Its tenant gives it a plan: it is still the token that was shown.
  const planned = await open(await issuer.token({ sid: 'login-1', tenant: 'acme' }));
  await disable();
  assert.equal(await gone.ended, 'cut');
  assert.match(
    gone.text,
    /data: \{"error":\{"message":"The credential of this request has been revoked\."[^\n]*\}\n\n$/,
  );
  assert.equal(token.over, false);
  assert.equal(planned.over, false);
  await store.write([revocationPut({ kind: 'session', value: 'login-1', forgetAt: Date.now() + 600_000 })]);
  for (const one of [token, planned]) {
    assert.equal(await one.ended, 'cut');
    assert.match(one.text, /has been revoked/);
  }
  assert.equal(stays.over, false);
  stays.leave();
});

test('what waits for a place in a queue leaves it when its key is revoked', PATIENCE, async (t) => {
  const { gateway, lost, kept, send, open, disable } = await start(t);
  const way = { 'x-way': 'narrow' };
  const first = await open(kept, way);
  const waits = send(lost, way);
  const waiting = async () => {
    const { queues } = (await (await fetch(`${gateway.adminUrl}/api/queue`)).json()) as {
      queues: { upstream: string; waiting: number }[];
    };
    return queues.find(({ upstream }) => upstream === 'narrow')?.waiting ?? 0;
  };
  while ((await waiting()) === 0) await setTimeout(20);
  await disable();
  const answer = await waits;
  assert.equal(answer.status, 401);
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer realm="[^"]*", error="invalid_token"/);
  assert.equal(((await answer.json()) as { error: { message: string } }).error.message, REVOKED);
  while ((await waiting()) > 0) await setTimeout(20);
  assert.equal(first.over, false);
  first.leave();
});

test('a request whose body is still on its way does not go on by a revoked key', PATIENCE, async (t) => {
  const { gateway, lost, disable } = await start(t);
  const body = JSON.stringify({ model: 'seen', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const call = request(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${lost}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    },
  });
  const answered = new Promise<number | undefined>((done, failed) => {
    call.once('response', (answer) => {
      answer.resume();
      done(answer.statusCode);
    });
    call.once('error', failed);
  });
  call.write(body.slice(0, 10));
  // Until its head has come, and with it who calls.
  while ((await gateway.metric('gatehouse_requests_in_flight')) === 0) await setTimeout(20);
  await disable();
  assert.equal(await answered, 401);
  call.destroy();
});

test('what runs for a tenant ends when the tenant is switched off', PATIENCE, async (t) => {
  const { store, issuer, kept, open } = await start(t);
  const tenant = (disabled: boolean) =>
    store.write([{ op: 'put', kind: TENANT_KIND, id: 'globex', value: { id: 'globex', disabled } }]);
  await tenant(false);
  const [theirs, stays] = [await open(await issuer.token({ tenant: 'globex' })), await open(kept)];
  await tenant(true);
  assert.equal(await theirs.ended, 'cut');
  assert.match(theirs.text, /switched off/);
  assert.equal(stays.over, false);
  stays.leave();
});
