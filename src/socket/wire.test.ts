import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { SCRATCH_BYTES } from './gather.ts';
import type { NativeHandle } from './native.ts';
import type { WireOwner } from './owner.ts';
import { reportExceptions } from './report.ts';
import { READ_BYTES, Wire } from './wire.ts';

/** A wire and the plain socket at its other end. */
async function pair(t: TestContext, owner: Partial<WireOwner>): Promise<[Wire, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = new Promise<Wire>((resolve) => {
    const handle = (server as unknown as { _handle: { onconnection: (error: number, client: NativeHandle) => void } })
      ._handle;
    handle.onconnection = (_error, client) =>
      resolve(new Wire(client, { onBytes() {}, onEof() {}, onDrain() {}, onBroken() {}, ...owner }));
  });
  const far = connect((server.address() as { port: number }).port, '127.0.0.1');
  far.on('error', () => {});
  const wire = await accepted;
  t.after(() => {
    wire.destroy();
    far.destroy();
    server.close();
  });
  return [wire, far];
}

/** Collects what arrives until there are `bytes` of it. */
async function take(far: Socket, bytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of far) {
    pieces.push(piece);
    size += piece.length;
    if (size >= bytes) break;
  }
  return Buffer.concat(pieces);
}

/** Bytes that differ at every place, so that a slice that was overwritten shows. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  return bytes;
}

test('small writes of one turn leave in order, whatever wires they are for', async (t) => {
  const owners: Wire[] = [];
  const echo: Partial<WireOwner> = {
    onBytes() {
      for (let i = 0; i < 3; i++) for (const wire of owners) wire.writeText(`${i};`);
    },
  };
  const [one, farOne] = await pair(t, echo);
  const [two, farTwo] = await pair(t, {});
  owners.push(one, two);
  one.resume();
  farOne.write('go');
  assert.equal((await take(farOne, 6)).toString(), '0;1;2;');
  assert.equal((await take(farTwo, 6)).toString(), '0;1;2;');
});

test('what the kernel does not take at once stays as it was written', async (t) => {
  let drained = 0;
  const [wire, far] = await pair(t, { onDrain: () => drained++ });
  const bytes = pattern(SCRATCH_BYTES - 100);
  let sent = 0;
  far.pause();
  while (wire.write(bytes, 0, bytes.length)) sent++;
  sent++;
  assert.ok(wire.pending > 0);
  // The scratch buffer is in use for other things meanwhile.
  const [other] = await pair(t, {});
  for (let i = 0; i < 50; i++) other.writeText('x'.repeat(SCRATCH_BYTES));
  const all = await take(far, sent * bytes.length);
  assert.equal(all.length, sent * bytes.length);
  for (let i = 0; i < sent; i++) assert.ok(all.subarray(i * bytes.length, (i + 1) * bytes.length).equals(bytes));
  assert.equal(drained, 1);
  assert.equal(wire.pending, 0);
});

test('large reads pass on without being overwritten, however slow the taker', async (t) => {
  const size = 40 * READ_BYTES + 12_345;
  const [target, far] = await pair(t, { onDrain: () => source.resume() });
  const [source, near] = await pair(t, {
    onBytes(buffer, start, end) {
      if (!target.write(buffer, start, end)) source.pause();
    },
  });
  const bytes = pattern(size);
  far.pause();
  source.resume();
  near.write(bytes);
  setImmediate(() => far.resume());
  assert.ok((await take(far, size)).equals(bytes));
});

test('an exception costs one connection and is told', async (t) => {
  const told: unknown[] = [];
  reportExceptions((error) => told.push(error));
  let broken = 0;
  const mistake = new Error('a mistake');
  const [wire, far] = await pair(t, {
    onBytes() {
      throw mistake;
    },
    onBroken: () => broken++,
  });
  wire.resume();
  far.write('x');
  await once(far, 'close');
  assert.deepEqual(told, [mistake]);
  assert.equal(broken, 1);
  // Others go on.
  const [other, farOther] = await pair(t, {});
  other.writeText('still here');
  assert.equal((await take(farOther, 10)).toString(), 'still here');
});

test('a peer that is gone breaks the wire once, after the writer has returned', async (t) => {
  let broken = 0;
  const [wire, far] = await pair(t, { onBroken: () => broken++ });
  far.resetAndDestroy();
  await once(far, 'close');
  wire.writeText('a');
  wire.writeText('b');
  assert.equal(broken, 0);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(broken, 1);
  assert.ok(wire.closed);
});
