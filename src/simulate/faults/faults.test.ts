import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import type { Fault } from '../fault.ts';
import { type RunningSimulator, startSimulator } from '../simulate.ts';
import { FAULTS } from './faults.ts';

let simulator: RunningSimulator;
before(async () => {
  simulator = await startSimulator({ models: ['m'] });
});
after(() => simulator.close());

const MODELS = '{"object":"list","data":[{"id":"m","object":"model","created":1769817600,"owned_by":"simulate"}]}';
const RAW = [...FAULTS.values()].filter((fault) => fault.raw && fault.pace !== 'endless');

/** Reads until `size` bytes are there or the connection is over. */
function read(socket: Socket, size: number): Promise<{ bytes: Buffer; over: 'open' | 'fin' | 'rst' }> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let length = 0;
    const done = (over: 'open' | 'fin' | 'rst'): void => resolve({ bytes: Buffer.concat(parts), over });
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length >= size && size > 0) done('open');
    });
    socket.on('end', () => done('fin'));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, 'ECONNRESET');
      done('rst');
    });
  });
}

const ask = (fault: string): string => `GET /v1/models HTTP/1.1\r\nHost: simulate\r\nx-simulate: ${fault}\r\n\r\n`;

for (const fault of RAW) {
  test(`${fault.name}: exactly its bytes, then ${fault.after}`, async () => {
    const expected = Buffer.from(fault.raw?.({ type: 'application/json', text: MODELS }) ?? '', 'latin1');
    const socket = connect(simulator.port, simulator.host);
    socket.write(ask(fault.name));
    const { bytes, over } = await read(socket, fault.after === 'open' ? expected.length : 0);
    assert.equal(over, fault.after);
    assert.ok(bytes.equals(expected), `got ${bytes.length} bytes, expected ${expected.length}`);
    if (fault.after === 'open') {
      const before = simulator.state().reusedAfterFault;
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.resume();
      socket.write(ask('cached'));
      await new Promise((resolve) => socket.once('close', resolve));
      assert.equal(simulator.state().reusedAfterFault, before + 1, 'a second request on it is counted');
    }
    socket.destroy();
  });
}

test('head-endless goes on until the reader has enough', async () => {
  const socket = connect(simulator.port, simulator.host);
  socket.write(ask('head-endless'));
  const { bytes } = await read(socket, 4 << 20);
  assert.ok(bytes.length >= 4 << 20);
  assert.equal(bytes.indexOf('\r\n\r\n'), -1);
  socket.destroy();
});

/** What Node's own client makes of it: the body, or the error's code. */
function nodeClient(fault: Fault): Promise<string> {
  return new Promise((resolve) => {
    const client = request(
      {
        host: simulator.host,
        port: simulator.port,
        path: '/v1/models',
        headers: { 'x-simulate': fault.name },
        agent: false,
      },
      (response) => {
        let body = '';
        response.setEncoding('latin1');
        response.on('data', (part: string) => {
          body += part;
        });
        response.on('end', () => resolve(response.complete ? body : 'incomplete'));
        response.on('error', (error: NodeJS.ErrnoException) => resolve(`error ${error.code}`));
      },
    );
    client.on('error', (error: NodeJS.ErrnoException) => resolve(`error ${error.code}`));
    client.end();
  });
}

// Node reads these as if nothing were wrong; a strict recipient must not.
const NODE_IS_LENIENT = new Set<string>([]);

for (const fault of RAW.filter((one) => one.verdict === 'valid' || one.verdict === 'cut')) {
  test(`${fault.name}: Node's client agrees that it is ${fault.verdict}`, async () => {
    const got = await nodeClient(fault);
    if (fault.name.startsWith('gzip')) assert.ok(!got.startsWith('error'));
    else if (fault.verdict === 'valid') assert.equal(got, MODELS);
    else if (NODE_IS_LENIENT.has(fault.name)) assert.ok(got.startsWith(MODELS));
    else assert.match(got, /^error|^incomplete/);
  });
}
