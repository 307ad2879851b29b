/**
 * What a configuration takes out is cut off, also by the process that drains after an upgrade: streams by keys, certificates, tokens
 * and tenants that are gone end, the others go on.
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainly } from 'node:http';
import { request as securely } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { exportSPKI, importJWK } from 'jose';
import { parse, stringify } from 'yaml';
import { mintKey } from '../../src/policy/access/key.ts';
import { AUDIENCE, type IssuerKey, makeKey, startIssuer } from '../access/issuer.ts';
import { type Certificate, makeCertificate } from '../certificate.ts';
import { startGateway, startSimulator } from '../gateway.ts';

const PATIENCE = { timeout: 240_000 };
const authority = makeCertificate({ name: 'clients', authority: true });
const server = makeCertificate({ name: 'localhost', hosts: ['localhost', '127.0.0.1'] });
const lostAgent = makeCertificate({ name: 'lost', issuer: authority });
const keptAgent = makeCertificate({ name: 'kept', issuer: authority });

/** A stream that has begun; `text` grows, `ended` says how it came to its end. */
interface Stream {
  text: string;
  over: boolean;
  ended: Promise<string>;
}

/** Begins a stream, on a connection of its own. */
function open(t: TestContext, url: string, credential: string, agent?: Certificate): Promise<Stream> {
  const shown = agent && { cert: agent.certificate, key: agent.key };
  const headers = {
    'content-type': 'application/json',
    ...(credential !== '' && { authorization: `Bearer ${credential}` }),
  };
  return new Promise((begun, failed) => {
    const send = url.startsWith('https') ? securely : plainly;
    const options = { method: 'POST', agent: false as const, headers, rejectUnauthorized: false, ...shown };
    const call = send(`${url}/v1/chat/completions`, options, (answer) => {
      equal(answer.statusCode, 200);
      const stream: Stream = { text: '', over: false, ended: Promise.resolve('') };
      stream.ended = new Promise((done) => {
        answer.setEncoding('utf8').on('data', (part: string) => {
          stream.text += part;
          begun(stream);
        });
        answer.once('error', () => done('cut'));
        answer.once('end', () => done('whole'));
      });
      stream.ended.then(() => {
        stream.over = true;
      });
    });
    call.once('error', failed);
    call.end(JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] }));
    t.after(() => call.destroy());
  });
}

const pemOf = async ({ jwk }: IssuerKey) => exportSPKI((await importJWK(jwk, 'ES256')) as never);

/** A gateway with every way to say who calls in its configuration. */
async function start(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-cutoff-'));
  const path = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const simulator = await startSimulator('--tokens', '100000', '--rate', '20');
  const [gone, changed, fetched] = [await startIssuer(), await startIssuer(), await startIssuer()];
  const [lostKey, keptKey] = [await makeKey(), await makeKey()];
  const keys = { ALICE: mintKey('live'), CARL: mintKey('live'), KEPT: mintKey('live') };
  const tls = {
    certificates: [{ certificate: path('server.pem', server.certificate), key: path('server.key', server.key) }],
    clientCertificates: { ca: path('clients.pem', authority.certificate), mode: 'request' },
  };
  const audiences = [AUDIENCE];
  const settings = {
    listeners: { public: { address: '127.0.0.1:0' }, secure: { address: '127.0.0.1:0', tls } },
    drainTimeout: '10min',
    tenants: { other: { disabled: false } },
    access: {
      pepper: 'a pepper that is long enough for this test',
      keys: [
        { name: 'alice', key: `\${ALICE}` },
        { name: 'carl', key: `\${CARL}`, tenant: 'other' },
        { name: 'kept', key: `\${KEPT}` },
      ],
      certificates: [
        { name: 'lost', subject: 'CN=lost' },
        { name: 'kept', subject: 'CN=kept' },
      ],
      issuers: {
        gone: { issuer: gone.url, audiences },
        changed: { issuer: changed.url, audiences, keys: [await pemOf(lostKey), JSON.stringify(keptKey.jwk)] },
        fetched: { issuer: fetched.url, audiences, cooldown: '1s' },
      },
    },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    routes: [{ name: 'all', upstream: 'model', access: { anyOf: ['apiKey', 'jwt', 'certificate'] } }],
  };
  const gateway = await startGateway(settings, { env: keys });
  const status = async () => (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { pid: number };
  t.after(async () => {
    const { pid } = await status().catch(() => ({ pid: 0 }));
    if (pid > 0 && pid !== gateway.child.pid) process.kill(pid, 'SIGKILL');
    gateway.child.kill('SIGKILL');
    await gateway.stop();
    await simulator.stop();
    for (const one of [gone, changed, fetched]) await one.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const { public: plain, secure } = gateway.urls as { public: string; secure: string };
  const lost = {
    key: await open(t, plain, keys.ALICE),
    tenant: await open(t, plain, keys.CARL),
    certificate: await open(t, secure, '', lostAgent),
    issuer: await open(t, plain, await gone.token()),
    'key of an issuer': await open(t, plain, await changed.token({}, lostKey)),
  };
  const kept = {
    key: await open(t, plain, keys.KEPT),
    certificate: await open(t, secure, '', keptAgent),
    'key of an issuer': await open(t, plain, await changed.token({}, keptKey)),
    'fetched key of an issuer': await open(t, plain, await fetched.token()),
  };
  /** Takes out whatever is lost. */
  const takeOut = () => {
    const now = parse(readFileSync(gateway.file, 'utf8')) as typeof settings;
    const { access, tenants } = now;
    access.keys = access.keys.filter(({ name }) => name !== 'alice');
    access.certificates = access.certificates.filter(({ name }) => name !== 'lost');
    const { gone: _, ...issuers } = access.issuers;
    issuers.changed.keys = issuers.changed.keys.slice(1);
    tenants.other.disabled = true;
    writeFileSync(gateway.file, stringify({ ...now, access: { ...access, issuers } }));
  };
  const check = async () => {
    for (const [what, stream] of Object.entries(lost)) {
      equal(await stream.ended, 'cut', what);
      match(stream.text, what === 'tenant' ? /switched off/ : /has been revoked/, what);
    }
    const over = Object.entries(kept).filter(([, stream]) => stream.over);
    deepEqual(over, []);
  };
  return { gateway, plain, lost, kept, fetched, takeOut, check, status };
}

test('by a reload', PATIENCE, async (t) => {
  const { takeOut, check, kept, fetched, plain } = await start(t);
  takeOut();
  await check();
  // An issuer publishes another key instead: who comes with that has its keys fetched anew.
  const stream = kept['fetched key of an issuer'];
  fetched.keys = [await makeKey()];
  while (!stream.over) {
    const answer = await fetch(`${plain}/v1/models`, { headers: { authorization: `Bearer ${await fetched.token()}` } });
    await answer.text();
    await setTimeout(50);
  }
  match(stream.text, /has been revoked/);
  equal(kept.key.over, false);
});

test('by a reload, of what the process before an upgrade still does', PATIENCE, async (t) => {
  const { gateway, takeOut, check, lost, status } = await start(t);
  const upgraded = await fetch(`${gateway.adminUrl}/api/upgrade`, { method: 'POST' });
  equal(upgraded.status, 200, await upgraded.text());
  await gateway.waitFor(/process \d+ has taken over/);
  while ((await status().catch(() => ({ pid: 0 }))).pid === gateway.child.pid) await setTimeout(50);
  equal(
    Object.values(lost).some(({ over }) => over),
    false,
  );
  takeOut();
  await check();
  equal(gateway.child.exitCode, null);
});

test('by the upgrade itself', PATIENCE, async (t) => {
  const { gateway, takeOut, check } = await start(t);
  // Before the file's change is seen, or after that: either way its streams end.
  takeOut();
  await fetch(`${gateway.adminUrl}/api/upgrade`, { method: 'POST' });
  await check();
});
