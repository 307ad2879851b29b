import { deepEqual, equal, match } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { makeCertificate } from '../certificate.ts';
import { startGateway } from '../gateway.ts';
import { freePort } from '../port.ts';
import { CLI } from '../program.ts';

const patience = { timeout: 180_000 };

function run(...args: string[]): Promise<{ code: number; out: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [CLI, ...args], (error, stdout, stderr) => {
      done({ code: error ? Number(error.code) : 0, out: stdout + stderr });
    });
  });
}

const SETTINGS = {
  listeners: { public: { address: '127.0.0.1:0' } },
  upstreams: { one: { endpoints: [{ url: 'http://127.0.0.1:1' }] } },
  routes: [{ name: 'all', upstream: 'one' }],
};

test('diff says what reload would change, reload changes it', patience, async (t) => {
  const gateway = await startGateway(SETTINGS);
  t.after(() => gateway.stop());
  const admin = ['--admin', gateway.adminUrl];
  deepEqual(await run('diff', ...admin), { code: 0, out: '' });

  const first = readFileSync(gateway.file, 'utf8');
  // Another file first: the gateway's own would be noticed by itself before long.
  writeFileSync(`${gateway.file}.next`, `${first}drainTimeout: 5s\n`);
  const would = { code: 1, out: 'drainTimeout: 30s → 5s\n' };
  deepEqual(await run('diff', ...admin, '-c', `${gateway.file}.next`), would);
  deepEqual(await run('diff', '-c', `${gateway.file}.next`, '--against', gateway.file), would);
  const json = async (path: string) => (await fetch(`${gateway.adminUrl}${path}`)).json();
  // Where it was noticed before it was looked at, there is nothing to show any more: the next change then.
  for (let seconds = 5, before = 30, shown = false; !shown; before = seconds++) {
    const { generation } = (await json('/api/status')) as { generation: number };
    writeFileSync(gateway.file, `${first}drainTimeout: ${seconds}s\n`);
    const preview = (await json('/api/reload')) as { changes: string[] };
    shown = preview.changes.length > 0;
    if (shown) deepEqual(preview, { ok: true, generation, changes: [`drainTimeout: ${before}s → ${seconds}s`] });
    else equal(((await json('/api/config')) as { drainTimeout: number }).drainTimeout, seconds * 1000);
  }
  const reloaded = await run('reload', ...admin);
  equal(reloaded.code, 0, reloaded.out);
  match(reloaded.out, /configuration \d+ is in force\n$/);
  deepEqual(await run('diff', ...admin), { code: 0, out: '' });
  match((await run('reload', ...admin)).out, /^nothing has changed: configuration \d+ is in force\n$/);
});

test('a reload that moves the admin port is answered on the old one', patience, async (t) => {
  const gateway = await startGateway(SETTINGS);
  t.after(() => gateway.stop());
  const first = readFileSync(gateway.file, 'utf8');
  let [address, url] = ['127.0.0.1:0', gateway.adminUrl];
  // Where the change is noticed before it is told, the old port is gone already, or nothing is left to change: another one then.
  for (let answered = false; !answered; ) {
    const before = (await (await fetch(`${url}/api/status`)).json()) as { generation: number };
    const next = `127.0.0.1:${await freePort()}`;
    writeFileSync(gateway.file, first.replace(/admin:\n.*/, `admin:\n  address: ${next}`));
    const answer = await fetch(`${url}/api/reload`, { method: 'POST' }).catch(() => undefined);
    const outcome = (await answer?.json()) as { changes: string[] } | undefined;
    answered = outcome !== undefined && outcome.changes.length > 0;
    if (answered)
      deepEqual(outcome, {
        ok: true,
        generation: before.generation + 1,
        changes: [`admin.address: ${address} → ${next}`],
      });
    [address, url] = [next, `http://${next}`];
    while (!(await fetch(`${url}/healthz`).catch(() => undefined))) await setTimeout(20);
  }
  equal((await fetch(`${url}/healthz`)).status, 200);
});

test(
  'a reload that is refused: the old one serves, the reason is in log, metric and admin API',
  patience,
  async (t) => {
    const gateway = await startGateway(SETTINGS);
    t.after(() => gateway.stop());
    const right = readFileSync(gateway.file, 'utf8');
    const busy = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => busy.once('listening', done));
    t.after(() => busy.close());
    const { port } = busy.address() as { port: number };
    const status = async () =>
      (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { configError?: string };
    const old = makeCertificate({ name: 'old.example', to: Date.now() - 86_400_000 });
    const at = (name: string) => join(dirname(gateway.file), name);
    writeFileSync(at('old.pem'), old.certificate);
    writeFileSync(at('old.key'), old.key);
    const certificates = `[{ certificate: ${at('old.pem')}, key: ${at('old.key')} }]`;
    const cases: [string, string, RegExp][] = [
      [
        'row 29: a certificate that has expired',
        right.replace(
          'listeners:',
          `listeners:\n  more:\n    address: 127.0.0.1:0\n    tls: { certificates: ${certificates} }`,
        ),
        /expired/,
      ],
      ['a mistake', `${right}routs: []\n`, /routs: unknown key/],
      [
        'a port that is taken',
        right
          .replace(/address: 127.0.0.1:0\n( *)/, (all) => `${all}`)
          .replace('listeners:', `listeners:\n  more:\n    address: 127.0.0.1:${port}`),
        /listeners\.more\.address: cannot listen on 127.*another process listens there/,
      ],
      ['a file cut short', right.slice(0, 40), /gatehouse\.yaml/],
    ];
    let refused = 0;
    for (const [what, text, reason] of cases) {
      writeFileSync(gateway.file, text);
      const { code, out } = await run('reload', '--admin', gateway.adminUrl);
      equal(code, 1, `${what}: ${out}`);
      match(out, reason);
      match((await status()).configError ?? '', reason);
      await gateway.waitFor(new RegExp(`reload refused, configuration 1 stays in force: .*${reason.source}`));
      refused++;
      await gateway.metricReaches('gatehouse_config_reloads_total{result="rejected"}', refused);
      equal((await fetch(gateway.url)).status, 502);
    }
    // Many at once, and right again: they run one after the other.
    writeFileSync(gateway.file, right);
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST' })),
    );
    deepEqual(
      answers.map((answer) => answer.status),
      [200, 200, 200, 200, 200],
    );
    equal((await status()).configError, undefined);
  },
);

test('a page elsewhere cannot make it reload', patience, async (t) => {
  const gateway = await startGateway(SETTINGS);
  t.after(() => gateway.stop());
  const headers = { origin: 'https://evil.example' };
  equal((await fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST', headers })).status, 403);
  equal((await fetch(`${gateway.adminUrl}/api/reload`, { method: 'PUT' })).status, 405);
});

test('nobody there is said, with what to do', patience, async () => {
  const { code, out } = await run('reload', '--admin', '127.0.0.1:1');
  equal(code, 2);
  match(out, /cannot reach the admin API at 127\.0\.0\.1:1 \(ECONNREFUSED\); is the gateway running/);
});
