import { deepEqual, equal, match } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { makeCertificate } from '../certificate.ts';
import { startGateway } from '../gateway.ts';
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

  const next = `${readFileSync(gateway.file, 'utf8')}drainTimeout: 5s\n`;
  // Another file first: the gateway's own would be noticed by itself before long.
  writeFileSync(`${gateway.file}.next`, next);
  const would = { code: 1, out: 'drainTimeout: 30s → 5s\n' };
  deepEqual(await run('diff', ...admin, '-c', `${gateway.file}.next`), would);
  deepEqual(await run('diff', '-c', `${gateway.file}.next`, '--against', gateway.file), would);
  writeFileSync(gateway.file, next);
  const preview = await fetch(`${gateway.adminUrl}/api/reload`);
  deepEqual(await preview.json(), { ok: true, generation: 1, changes: ['drainTimeout: 30s → 5s'] });
  const reloaded = await run('reload', ...admin);
  equal(reloaded.code, 0, reloaded.out);
  match(reloaded.out, /configuration \d+ is in force\n$/);
  deepEqual(await run('diff', ...admin), { code: 0, out: '' });
  match((await run('reload', ...admin)).out, /^nothing has changed: configuration \d+ is in force\n$/);
});

test('a reload that moves the admin port is answered on the old one', patience, async (t) => {
  const gateway = await startGateway(SETTINGS);
  t.after(() => gateway.stop());
  const spare = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => spare.once('listening', done));
  const { port } = spare.address() as { port: number };
  await new Promise((done) => spare.close(done));
  const next = readFileSync(gateway.file, 'utf8').replace(/admin:\n.*/, `admin:\n  address: 127.0.0.1:${port}`);
  writeFileSync(gateway.file, next);
  // At once, before the change is noticed anyway.
  const answer = await fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST' });
  const changes = [`admin.address: 127.0.0.1:0 → 127.0.0.1:${port}`];
  deepEqual(await answer.json(), { ok: true, generation: 2, changes });
  equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
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
