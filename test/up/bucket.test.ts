import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, truncateSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { needs, peersFolder } from '../peers.ts';
import { freePort } from '../port.ts';
import { runCli } from '../program.ts';
import { startEcho } from '../traffic.ts';

const patience = { timeout: 180_000 };
const BUCKET = 'settings';

/** A real S3 server from the peers; `stop` takes it away, with its address. */
async function startS3(t: TestContext, port: number, folder: string) {
  const bin = join(peersFolder(), 'node_modules/s3rver/bin/s3rver.js');
  const args = ['-d', folder, '-a', '127.0.0.1', '-p', `${port}`, '--configure-bucket', BUCKET, '--silent'];
  const child = spawn(process.execPath, ['--no-deprecation', bin, ...args], { stdio: 'ignore' });
  const ended = new Promise((done) => child.once('exit', done));
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  t.after(stop);
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(url).catch(() => undefined))) await setTimeout(50);
  return { url, stop };
}

const settings = (upstream: string, route: string) => `listeners: { public: { address: "127.0.0.1:0" } }
admin: { address: "127.0.0.1:0" }
workers: 1
log: { access: "off" }
upstreams: { one: { endpoints: [ { url: "${upstream}" } ] } }
routes: [ { name: ${route}, upstream: one } ]
`;

const READY = /^gatehouse serve: ready public=(\S+) admin=(\S+)$/m;

test('a bucket: polled, wrong, gone, and a restart without it', {
  ...patience,
  ...needs({ peers: ['s3rver'] }),
}, async (t) => {
  const echo = await startEcho();
  t.after(() => echo.close());
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-s3-'));
  const keep = mkdtempSync(join(tmpdir(), 'gatehouse-keep-'));
  const s3 = await startS3(t, port, folder);
  const env = {
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_REGION: 'us-east-1',
  };
  const put = async (key: string, text: string) => {
    const answer = await fetch(`${s3.url}/${BUCKET}/${key}`, { method: 'PUT', body: text });
    equal(answer.status, 200, await answer.text());
  };
  await put('prod/00-base.yaml', settings(echo.url, 'first'));
  const args = ['serve', '-c', `s3://${BUCKET}/prod/`, '--poll', '100ms', '--keep', keep];
  const gateway = runCli(args, env);
  t.after(() => gateway.stop());
  const [, url = '', admin = ''] = await gateway.waitFor(READY);
  equal(await (await fetch(`${url}/echo/1`)).text(), '1');

  await put('prod/customer.yaml', 'models: {}\nworkers: 2\n');
  await gateway.waitFor(/reload refused.*customer\.yaml:2:1: workers: stands in two files/);
  await put('prod/customer.yaml', 'models: {}\ndrainTimeout: 7s\n');
  await gateway.waitFor(/configuration 2 is in force/);
  match(await (await fetch(`${admin}/api/config`)).text(), /"drainTimeout": 7000/);

  await s3.stop();
  await gateway.waitFor(/reload refused, configuration 2 stays in force.*cannot be fetched.*ECONNREFUSED/);
  match(await (await fetch(`${admin}/api/status`)).text(), /cannot be fetched/);
  equal(await (await fetch(`${url}/echo/2`)).text(), '2');
  await gateway.stop();

  const again = runCli(args, env);
  t.after(() => again.stop());
  const [, anew] = await again.waitFor(READY);
  await again.waitFor(/the last good copy .* is served/);
  equal(await (await fetch(`${anew}/echo/3`)).text(), '3');

  // It comes back with garbage: what is served stays.
  const garbage = createServer((_, response) => response.end('<html>hello</html>')).listen(port, '127.0.0.1');
  t.after(() => garbage.close());
  await again.waitFor(/reload refused.*is no listing of a bucket/);
  equal(await (await fetch(`${anew}/echo/4`)).text(), '4');
  ok(again.child.exitCode === null);
});

test(
  'a change that diff has looked at takes effect all the same; a kept copy that is damaged is named',
  patience,
  async (t) => {
    const keep = mkdtempSync(join(tmpdir(), 'gatehouse-keep-'));
    const base = settings('http://127.0.0.1:1', 'first');
    let text = base;
    const bucket = createServer((request, response) => {
      const etag = `"${createHash('sha256').update(text).digest('hex')}"`;
      if (request.headers['if-none-match'] === etag) response.writeHead(304).end();
      else response.writeHead(200, { etag }).end(text);
    }).listen(0, '127.0.0.1');
    t.after(() => bucket.close());
    await once(bucket, 'listening');
    const env = { AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(bucket.address() as AddressInfo).port}` };
    const args = ['serve', '-c', `s3://${BUCKET}/gatehouse.yaml`, '--poll', '3s', '--keep', keep];
    const gateway = runCli(args, env);
    t.after(() => gateway.stop());
    const [, , admin] = await gateway.waitFor(READY);
    const inForce = async () =>
      ((await (await fetch(`${admin}/api/config`)).json()) as { drainTimeout: number }).drainTimeout / 1000;
    // Where it is polled before diff has come to look, there is nothing to show any more: the next change then.
    for (let seconds = 7, before = 30, shown = false; !shown; before = seconds++) {
      text = `${base}drainTimeout: ${seconds}s\n`;
      const { changes } = (await (await fetch(`${admin}/api/reload`)).json()) as { changes: string[] };
      shown = changes.length > 0;
      if (shown) deepEqual(changes, [`drainTimeout: ${before}s → ${seconds}s`]);
      while ((await inForce()) !== seconds) await setTimeout(50);
    }
    await gateway.stop();

    for (const file of readdirSync(keep)) truncateSync(join(keep, file), 40);
    text = 'garbage';
    const again = runCli(args, env);
    t.after(() => again.stop());
    await again.waitFor(/the last good copy \(.*\.json\) cannot be read: .*/);
    await again.waitFor(/not started/);
  },
);
