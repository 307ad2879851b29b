/** Clients that people use: curl and h2load, by ALPN and by prior knowledge. */
import { equal, match } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { makeCertificate } from '../certificate.ts';
import { type InProcess, startInProcess } from '../inprocess.ts';
import { needCommand, needs } from '../peers.ts';
import { plainResponse, type RawServer, rawServer } from '../raw.ts';

const run = promisify(execFile);

describe('HTTP/2 clients', needs({ commands: ['curl', 'h2load'] }), () => {
  const { certificate, key } = makeCertificate({ name: 'a.test', hosts: ['a.test', '127.0.0.1'] });
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-h2-'));
  const ca = join(folder, 'ca.pem');
  let server: RawServer;
  let plain: InProcess;
  let secure: InProcess;
  before(async () => {
    writeFileSync(ca, certificate);
    server = await rawServer(async (peer) => {
      for (;;) {
        const request = await peer.read();
        await peer.send(plainResponse(`${request.body.length}`));
      }
    });
    plain = await startInProcess({ upstream: server.url, listener: { protocols: ['http1', 'http2'] } });
    const tls = { certificates: [{ certificate: 'cert', key: 'key' }] };
    secure = await startInProcess({ upstream: server.url, listener: { tls }, files: { cert: certificate, key } });
  });
  after(async () => {
    await plain?.close();
    await secure?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const curl = async (gateway: InProcess, ...args: string[]) => {
    const host = ['--resolve', `a.test:${gateway.port}:127.0.0.1`, '--cacert', ca];
    const { stdout } = await run(needCommand('curl'), ['-sS', '-w', ' %{http_version} %{http_code}', ...host, ...args]);
    return stdout;
  };

  test('curl: the version is agreed on by ALPN, or known before', async () => {
    const url = `https://a.test:${secure.port}/`;
    equal(await curl(secure, url), '0 2 200');
    equal(await curl(secure, '--http1.1', url), '0 1.1 200');
    equal(await curl(secure, '--no-alpn', '--http1.1', url), '0 1.1 200');
    equal(await curl(secure, '-d', 'hello', url), '5 2 200');
    const h2c = `http://a.test:${plain.port}/`;
    equal(await curl(plain, h2c), '0 1.1 200');
    equal(await curl(plain, '--http2-prior-knowledge', h2c), '0 2 200');
    equal(await curl(plain, '--http2', h2c), '0 1.1 200', 'an upgrade to h2c is ignored');
  });

  test('row 19: a host that the certificate does not cover is misdirected', async () => {
    match(await curl(secure, '-H', 'Host: b.test', `https://a.test:${secure.port}/`), / 2 421$/);
  });

  test('h2load: thousands of requests, many at once, with and without TLS', async () => {
    for (const url of [`http://127.0.0.1:${plain.port}/`, `https://127.0.0.1:${secure.port}/`]) {
      const { stdout } = await run(needCommand('h2load'), ['-n', '2000', '-c', '4', '-m', '32', url]);
      match(stdout, /2000 succeeded, 0 failed/, url);
    }
    equal(Object.keys(plain.counted()).length, 0, JSON.stringify(plain.counted()));
  });
});
