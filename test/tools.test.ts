/** Tools that people point at a gateway: curl, wrk, h2load, a WebSocket client. The server behind is plain `node:http`. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { type Gateway, startGateway } from './gateway.ts';
import { importPeer, needCommand, needs } from './peers.ts';

const run = promisify(execFile);

interface WebSocketLike {
  on(event: string, listener: (...args: never[]) => void): WebSocketLike;
  send(data: string | Buffer): void;
  close(code?: number): void;
}

interface WebSocketPeer {
  WebSocketServer: new (options: object) => WebSocketLike;
  default: new (url: string, options?: object) => WebSocketLike;
}

describe('tools', needs({ commands: ['curl', 'wrk', 'h2load'], peers: ['ws'] }), () => {
  let server: Server;
  let gateway: Gateway;
  let folder = '';
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-tools-'));
    server = createServer((request, response) => {
      const hash: Buffer[] = [];
      request.on('data', (part: Buffer) => hash.push(part));
      request.on('end', () => {
        const body = Buffer.concat(hash);
        const seen = { method: request.method, url: request.url, length: body.length, headers: request.headers };
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(seen));
      });
    });
    const { WebSocketServer } = await importPeer<WebSocketPeer>('ws');
    new WebSocketServer({ server }).on('connection', (socket: WebSocketLike) => {
      socket.on('message', (data: Buffer, binary: boolean) => socket.send(binary ? data : data.toString()));
    });
    // Longer than the gateway keeps an idle connection, however slow the machine: none is closed while it is used again.
    server.keepAliveTimeout = 3_600_000;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    gateway = await startGateway({
      listeners: { public: { address: '127.0.0.1:0' } },
      upstreams: { echo: { endpoints: [{ url }] } },
      routes: [{ name: 'all', match: {}, upstream: 'echo' }],
      log: { access: 'off' },
    });
  });
  after(async () => {
    await gateway?.stop();
    server?.closeAllConnections();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const curl = async (...args: string[]): Promise<string> =>
    (await run(needCommand('curl'), ['--silent', '--show-error', '--max-time', '120', ...args])).stdout;

  const echo = async (...args: string[]) =>
    JSON.parse(await curl(...args)) as { method: string; url: string; length: number; headers: Record<string, string> };

  test('curl: GET, query and fields arrive as sent', async () => {
    const seen = await echo(`${gateway.url}/a/b?c=d%20e&f`, '-H', 'X-Own: 1');
    assert.equal(seen.url, '/a/b?c=d%20e&f');
    assert.equal(seen.headers['x-own'], '1');
    assert.match(seen.headers.via ?? '', /1\.1 /);
  });

  test('curl: HEAD has no body, and the connection goes on', async () => {
    const said = await curl('-I', `${gateway.url}/1`, '--next', '-sS', '-w', '%{num_connects}', `${gateway.url}/2`);
    assert.match(said, /^HTTP\/1\.1 200/);
    assert.match(said, /"url":"\/2".*\}0$/);
  });

  test('curl: HTTP/1.0', async () => {
    assert.equal((await echo('--http1.0', `${gateway.url}/old`)).url, '/old');
  });

  for (const [name, fields] of [
    ['with its length', []],
    ['chunked', ['-H', 'Transfer-Encoding: chunked']],
    ['waiting for 100 Continue', ['-H', 'Expect: 100-continue', '--expect100-timeout', '60']],
  ] as const) {
    test(`curl: an upload of 3 MiB ${name}`, async () => {
      const file = join(folder, 'upload');
      writeFileSync(file, Buffer.alloc(3 << 20, 'x'));
      const seen = await echo('-X', 'POST', '-T', file, ...fields, `${gateway.url}/upload`);
      assert.equal(seen.length, 3 << 20);
    });
  }

  test('curl: what is too long is refused with its reason', async () => {
    const said = await curl('-i', `${gateway.url}/${'x'.repeat(9000)}`);
    assert.match(said, /^HTTP\/1\.1 414 /);
    assert.match(said, /^proxy-status: .*http_request_error/im);
  });

  test('wrk: no request fails', async () => {
    const { stdout } = await run(needCommand('wrk'), ['-t1', '-c16', '-d1s', '--timeout', '60s', `${gateway.url}/`]);
    assert.match(stdout, /Requests\/sec/);
    assert.doesNotMatch(stdout, /Non-2xx|Socket errors/);
  });

  test('h2load: pipelined requests over HTTP/1.1 are all answered', async () => {
    const { stdout } = await run(needCommand('h2load'), ['--h1', '-n500', '-c4', '-m8', `${gateway.url}/`]);
    assert.match(stdout, /500 succeeded, 0 failed/);
    assert.match(stdout, /status codes: 500 2xx/);
  });

  test('a WebSocket carries text and large binary both ways, and closes cleanly', async () => {
    const { default: WebSocket } = await importPeer<WebSocketPeer>('ws');
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/socket`);
    const received: string[] = [];
    const big = Buffer.alloc(300_000, 7);
    const code = await new Promise<number>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => {
        socket.send('grüezi');
        socket.send(big);
      });
      socket.on('message', (data: Buffer, binary: boolean) => {
        received.push(binary ? `${data.length} bytes of ${data[0]}` : data.toString());
        if (received.length === 2) socket.close(1000);
      });
      socket.on('close', (status: number) => resolve(status));
    });
    assert.deepEqual(received, ['grüezi', '300000 bytes of 7']);
    assert.equal(code, 1000);
  });
});
