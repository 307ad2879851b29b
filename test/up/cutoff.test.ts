/**
 * What a configuration takes out is cut off, also by the process that drains after an upgrade: streams by keys, certificates, tokens
 * and tenants that are gone end, the others go on.
 */
import { deepEqual, doesNotMatch, equal, match } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientRequest, request as plainly } from 'node:http';
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
function open(calls: ClientRequest[], url: string, credential: string, agent?: Certificate): Promise<Stream> {
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
    calls.push(call);
  });
}

const pemOf = async ({ jwk }: IssuerKey) => exportSPKI((await importJWK(jwk, 'ES256')) as never);

/** A gateway with every way to say who calls in its configuration. */
async function start(t: TestContext, workers = 1) {
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
    workers,
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
  const status = async () =>
    (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { pid: number; workers: { state: string }[] };
  t.after(async () => {
    const { pid } = await status().catch(() => ({ pid: 0 }));
    for (const call of calls) call.destroy();
    // With it ends whatever still runs, so that nobody waits for that.
    await simulator.stop();
    if (pid > 0 && pid !== gateway.child.pid) process.kill(pid, 'SIGTERM');
    await gateway.stop();
    for (const one of [gone, changed, fetched]) await one.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const calls: ClientRequest[] = [];
  const { public: plain, secure } = gateway.urls as { public: string; secure: string };
  const lost = {
    key: await open(calls, plain, keys.ALICE),
    tenant: await open(calls, plain, keys.CARL),
    certificate: await open(calls, secure, '', lostAgent),
    issuer: await open(calls, plain, await gone.token()),
    'key of an issuer': await open(calls, plain, await changed.token({}, lostKey)),
  };
  const kept = {
    key: await open(calls, plain, keys.KEPT),
    certificate: await open(calls, secure, '', keptAgent),
    'key of an issuer': await open(calls, plain, await changed.token({}, keptKey)),
    'fetched key of an issuer': await open(calls, plain, await fetched.token()),
  };
  const change = (how: (now: typeof settings) => void) => {
    const now = parse(readFileSync(gateway.file, 'utf8')) as typeof settings;
    how(now);
    writeFileSync(gateway.file, stringify(now));
  };
  /** Takes out whatever is lost. */
  const takeOut = () =>
    change((now) => {
      const { access, tenants } = now;
      access.keys = access.keys.filter(({ name }) => name !== 'alice');
      access.certificates = access.certificates.filter(({ name }) => name !== 'lost');
      access.issuers.changed.keys = access.issuers.changed.keys.slice(1);
      delete (access.issuers as { gone?: object }).gone;
      tenants.other.disabled = true;
    });
  const check = async () => {
    for (const [what, stream] of Object.entries(lost)) {
      equal(await stream.ended, 'cut', what);
      match(stream.text, what === 'tenant' ? /switched off/ : /has been revoked/, what);
    }
    const over = Object.entries(kept).filter(([, stream]) => stream.over);
    deepEqual(over, []);
  };
  /** Upgrades, and tells the process that has taken over. */
  const upgrade = async () => {
    const young = () => [...gateway.logs.matchAll(/process (\d+) has taken over/g)].map(([, pid]) => Number(pid));
    const before = young().length;
    // What leaves may still answer on a connection that was open.
    while (young().length === before) {
      const answer = await fetch(`${gateway.adminUrl}/api/upgrade`, { method: 'POST' }).catch(() => undefined);
      await answer?.text();
      await setTimeout(50);
    }
    return young().at(-1) as number;
  };
  return { gateway, plain, lost, kept, fetched, change, takeOut, check, status, upgrade };
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
  const { gateway, takeOut, change, check, lost, kept, upgrade } = await start(t);
  await upgrade();
  equal(
    Object.values(lost).some(({ over }) => over),
    false,
  );
  takeOut();
  await check();
  equal(gateway.child.exitCode, null);
  // The one between has nothing to do, and stays as long as it has news for the first.
  await upgrade();
  change(({ access }) => {
    access.keys = access.keys.filter(({ name }) => name !== 'kept');
  });
  equal(await kept.key.ended, 'cut');
  equal(kept.certificate.over, false);
  doesNotMatch(gateway.logs, /serves again/);
});

test('by a reload, of what a worker that leaves still does', PATIENCE, async (t) => {
  const { takeOut, change, check, status } = await start(t, 3);
  change((now) => {
    now.workers = 1;
  });
  while ((await status()).workers.filter(({ state }) => state === 'ready').length > 1) await setTimeout(50);
  takeOut();
  await check();
});

test('nobody comes back when who took over is told to stop', PATIENCE, async (t) => {
  const { gateway, kept, upgrade } = await start(t);
  process.kill(await upgrade(), 'SIGTERM');
  await gateway.waitFor(/the process that took over was told to stop; process \d+ lets its requests end/);
  const answers = async () => {
    const answer = await fetch(`${gateway.url}/v1/models`).catch(() => undefined);
    return (await answer?.text()) !== undefined;
  };
  while (await answers()) await setTimeout(50);
  equal(kept.key.over, false);
  equal(gateway.child.exitCode, null);
  doesNotMatch(gateway.logs, /serves again/);
});

test('by the upgrade itself', PATIENCE, async (t) => {
  const { gateway, takeOut, check } = await start(t);
  // Before the file's change is seen, or after that: either way its streams end.
  takeOut();
  await fetch(`${gateway.adminUrl}/api/upgrade`, { method: 'POST' });
  await check();
});
