import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { frame, readFrame } from './realtime.ts';
import { startSimulator } from './simulate.ts';

/** A client's frame: masked. */
function masked(opcode: number, payload: Buffer): Buffer {
  const plain = frame(opcode, payload);
  const head = plain.length - payload.length;
  const mask = Buffer.from([1, 2, 3, 4]);
  const bytes = Buffer.concat([
    plain.subarray(0, head),
    mask,
    payload.map((byte, i) => byte ^ (mask[i & 3] as number)),
  ]);
  bytes[1] = (bytes[1] as number) | 0x80;
  return bytes;
}

test('frames of every length read back, whole or a byte short', () => {
  for (const size of [0, 1, 125, 126, 127, 65_535, 65_536]) {
    const payload = Buffer.alloc(size, 'x');
    const bytes = masked(2, payload);
    assert.equal(readFrame(bytes.subarray(0, bytes.length - 1)), undefined);
    const read = readFrame(Buffer.concat([bytes, Buffer.from('more')]));
    assert.ok(typeof read === 'object');
    assert.equal(read.size, bytes.length);
    assert.ok(read.fin && read.opcode === 2 && read.payload.equals(payload));
  }
  assert.equal(readFrame(frame(1, Buffer.from('unmasked'))), 1002);
  assert.equal(readFrame(Buffer.from([0xc1, 0x80])), 1002);
  assert.equal(readFrame(masked(9, Buffer.alloc(126))), 1002);
});

test('handshake, session.created, echo, ping, close', async () => {
  const simulator = await startSimulator();
  const socket = connect(simulator.port, simulator.host);
  // The key and its answer are the example of RFC 6455 §1.3.
  socket.write(
    'GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: realtime, x\r\n\r\n',
  );
  socket.write(Buffer.concat([masked(1, Buffer.from('hello')), masked(9, Buffer.from('p'))]));
  socket.write(masked(2, Buffer.alloc(70_000, 7)));
  socket.write(masked(8, Buffer.from([3, 232])));
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  const all = Buffer.concat(parts);
  const end = all.indexOf('\r\n\r\n') + 4;
  const head = all.toString('latin1', 0, end);
  assert.match(head, /^HTTP\/1\.1 101 /);
  assert.match(head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  assert.match(head, /Sec-WebSocket-Protocol: realtime\r\n/);
  const created = all.subarray(end, end + 2 + ((all[end + 1] as number) & 127));
  const rest =
    (all[end + 1] as number) === 126
      ? all.subarray(end + 4 + all.readUInt16BE(end + 2))
      : all.subarray(end + created.length);
  assert.match(all.toString('latin1', end), /session\.created/);
  const expected = [
    frame(1, Buffer.from('hello')),
    frame(10, Buffer.from('p')),
    frame(2, Buffer.alloc(70_000, 7)),
    frame(8, Buffer.from([3, 232])),
  ];
  assert.ok(rest.equals(Buffer.concat(expected)));
  await simulator.close();
});

test('what is no WebSocket is refused', async () => {
  const simulator = await startSimulator();
  for (const [path, status] of [
    ['/v1/realtime', 400],
    ['/elsewhere', 404],
  ] as const) {
    const socket = connect(simulator.port, simulator.host);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n`);
    let text = '';
    for await (const part of socket) text += String(part);
    assert.ok(text.startsWith(`HTTP/1.1 ${status} `));
  }
  await simulator.close();
});
