/** Real ClientHellos in any pieces and records, and whatever else a client may send. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { type Hello, readHello } from './hello.ts';

async function realHello(servername: string, ALPNProtocols: string[]): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', servername, ALPNProtocols });
  client.on('error', () => {});
  const [socket] = await once(server, 'connection');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  server.close();
  return bytes;
}

/** The same message in records of at most so many bytes. */
function inRecords(hello: Buffer, most: number): Buffer {
  const message = hello.subarray(5);
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += most) {
    const part = message.subarray(at, at + most);
    parts.push(Buffer.of(22, 3, 1, part.length >> 8, part.length & 255), part);
  }
  return Buffer.concat(parts);
}

test('server name and protocols, whatever the pieces and records', async () => {
  const bytes = await realHello('Shop.Example', ['h2', 'acme-tls/1']);
  const expected: Hello = { serverName: 'shop.example', protocols: ['h2', 'acme-tls/1'] };
  assert.deepEqual(readHello(bytes), expected);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600 }), fc.nat(), (most, cut) => {
      const whole = inRecords(bytes, most);
      assert.deepEqual(readHello(whole), expected);
      assert.equal(readHello(whole.subarray(0, cut % whole.length)), 'more');
    }),
  );
  assert.deepEqual(readHello(await realHello('', [])), { serverName: '', protocols: [] });
});

test('damage and noise never throw', async () => {
  const bytes = await realHello('shop.example', ['h2']);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }), (changes) => {
      const damaged = Buffer.from(bytes);
      for (const [at, value] of changes) damaged[at] = value;
      readHello(damaged);
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => void readHello(noise)));
  assert.equal(readHello(Buffer.from('GET / HTTP/1.1\r\n')), 'other');
  assert.equal(readHello(Buffer.of()), 'more');
});
