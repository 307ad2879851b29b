/** Row 25: who reads nothing holds the other side back, in bounded memory, and gets every byte when it reads again. */
import { equal, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { startSimulator } from '../../src/simulate/simulate.ts';
import { startGateway } from '../gateway.ts';
import { startInProcess } from '../inprocess.ts';

const SIZE = 200 << 20;
/** Kernel buffers and ours, generously; a gateway that kept what nobody reads would hold 200 MB. */
const MOST_GROWTH = 48 << 20;
const BLOCK = Buffer.alloc(
  1 << 20,
  Uint8Array.from({ length: 251 }, (_, i) => i),
);

/** Resident memory of a process, in bytes. */
async function resident(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** The worker among the children of a supervisor. */
async function workerOf(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1')).trim().split(' ');
  return Number(children[0]);
}

/** Writes `SIZE` bytes as fast as they are taken, and says what their hash is. */
async function pour(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  for (let sent = 0; sent < SIZE; sent += BLOCK.length) {
    hash.update(BLOCK);
    if (!socket.write(BLOCK)) await once(socket, 'drain');
  }
  return hash.digest('hex');
}

/** Resolves when a socket has not got rid of anything for a while. */
async function stuck(socket: Socket): Promise<void> {
  for (let same = 0, before = -1; same < 10; ) {
    const written = socket.bytesWritten - socket.writableLength;
    same = written === before ? same + 1 : 0;
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Takes `SIZE` bytes of body behind a head. */
async function drink(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  let head = '';
  let got = 0;
  for await (const part of socket as AsyncIterable<Buffer>) {
    let bytes = part;
    if (!head.includes('\r\n\r\n')) {
      head += part.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) continue;
      bytes = Buffer.from(head.slice(end + 4), 'latin1');
    }
    hash.update(bytes);
    got += bytes.length;
    if (got >= SIZE) break;
  }
  return hash.digest('hex');
}

for (const direction of ['a client that reads nothing', 'a server that reads nothing'] as const) {
  test(`${direction}: bounded memory, then byte-identical`, async () => {
    const download = direction.startsWith('a client');
    let accepted: (socket: Socket) => void = () => {};
    const arrival = new Promise<Socket>((resolve) => {
      accepted = resolve;
    });
    const server = createServer({ pauseOnConnect: true }, (socket) => accepted(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const simulator = await startSimulator();
    const gateway = await startGateway({
      listeners: { public: { address: '127.0.0.1:0', limits: { body: '1GiB' } } },
      upstreams: {
        main: { endpoints: [{ url: `http://127.0.0.1:${port}` }] },
        beside: { endpoints: [{ url: simulator.url }] },
      },
      routes: [
        { name: 'beside', match: { path: '/v1/*' }, upstream: 'beside' },
        { name: 'all', match: {}, upstream: 'main' },
      ],
    });
    try {
      const worker = await workerOf(gateway.child.pid as number);
      // Warm: code and pools stand.
      for (let i = 0; i < 50; i++) await (await fetch(`${gateway.url}/v1/models`)).text();
      const before = await resident(worker);
      const client = connect({ port: gateway.port, host: '127.0.0.1' });
      client.on('error', () => {});
      client.pause();
      const method = download ? 'GET' : 'POST';
      const framing = download ? '' : `Content-Length: ${SIZE}\r\n`;
      client.write(`${method} / HTTP/1.1\r\nHost: a\r\n${framing}\r\n`);
      const upload = download ? undefined : pour(client);
      const peer = await arrival;
      peer.on('error', () => {});
      if (download) peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
      const poured = upload ?? pour(peer);
      const [from, to] = download ? [peer, client] : [client, peer];
      await stuck(from);
      const growth = (await resident(worker)) - before;
      ok(growth < MOST_GROWTH, `grew by ${growth} bytes`);
      equal((await fetch(`${gateway.url}/v1/models`)).status, 200, 'others are served');
      const drunk = drink(to);
      equal(await drunk, await poured, 'byte-identical');
      const after = (await resident(worker)) - before;
      ok(after < MOST_GROWTH, `grew by ${after} bytes`);
      client.destroy();
      peer.destroy();
    } finally {
      await gateway.stop();
      await simulator.close();
      server.close();
    }
  });
}

test('many clients that read nothing do not hold each other', async () => {
  const simulator = await startSimulator();
  const gateway = await startInProcess({ upstream: simulator.url });
  const clients = await Promise.all(Array.from({ length: 20 }, () => gateway.client()));
  for (const client of clients) {
    client.socket.pause();
    await client.send('GET /simulate/bytes/20000000 HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  for (let i = 0; i < 5; i++) await gateway.unharmed();
  const answer = await gateway.ask('GET /simulate/bytes/1000000 HTTP/1.1\r\nHost: a\r\n\r\n');
  equal(answer.body.length, 1_000_000);
  for (const client of clients) client.close();
  await gateway.close();
  await simulator.close();
});
