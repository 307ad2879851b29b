import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beforeSending, flushCorked } from './cork.ts';
import { MemoryHandle } from './handle.fixture.ts';
import { Wire } from './wire.ts';

const nobody = { onBytes() {}, onEof() {}, onDrain() {}, onBroken() {} };

/** A handle that keeps its writes apart. */
class Writes extends MemoryHandle {
  readonly each: string[] = [];
  override writeBuffer(request: unknown, buffer: Uint8Array): number {
    this.each.push(Buffer.from(buffer).toString('latin1'));
    return super.writeBuffer(request, buffer);
  }
}

const turn = () => new Promise<void>((done) => setImmediate(done));

/** Wires to servers, and one from a client whose read makes `work` run. */
function around(shared: boolean, servers: number, work: (wires: Wire[]) => void) {
  const handles = Array.from({ length: servers }, () => new Writes());
  const wires = handles.map((handle) => new Wire(handle, nobody));
  const client = new MemoryHandle();
  const wire = new Wire(client, { ...nobody, onBytes: () => work(wires) });
  wire.gathers = shared;
  return { handles, wires, read: () => client.feed(wire, Buffer.from('x')) };
}

function headsThenBodies(wires: readonly Wire[]): void {
  for (const part of ['head;', 'body;']) for (const wire of wires) wire.writeText(part);
}

test('what a shared wire brings leaves once for each server, at the end of the turn', async () => {
  const { handles, read } = around(true, 3, headsThenBodies);
  read();
  assert.deepEqual(handles[0]?.each, []);
  await turn();
  for (const { each } of handles) assert.deepEqual(each, ['head;body;']);
});

test('what any other wire brings leaves at once', () => {
  const { handles, read } = around(false, 2, headsThenBodies);
  read();
  assert.deepEqual(handles[0]?.each, ['head;', 'body;']);
  assert.deepEqual(handles[1]?.each, ['head;', 'body;']);
});

test('more outputs than may wait leave early, whole and in order', async () => {
  const { handles, read } = around(true, 1000, headsThenBodies);
  read();
  assert.ok(handles.filter(({ each }) => each.length > 0).length > 500);
  await turn();
  for (const { sent } of handles) assert.equal(sent, 'head;body;');
});

test('what waits is sent before its wire closes, and by work that no read began in its order', async () => {
  const { handles, wires, read } = around(true, 3, headsThenBodies);
  read();
  wires[0]?.destroy();
  assert.equal(handles[0]?.sent, 'head;body;');
  wires[1]?.writeText('more;');
  flushCorked();
  await turn();
  assert.equal(handles[1]?.sent, 'head;body;more;');
  assert.equal(handles[2]?.sent, 'head;body;');
});

test('what is owed is done once for all that a turn brings, before any of it leaves', async () => {
  const order: string[] = [];
  const { handles, read } = around(false, 3, (wires) => {
    beforeSending(() => order.push(`paid with ${handles.filter(({ each }) => each.length > 0).length} sent`));
    headsThenBodies(wires);
  });
  read();
  read();
  assert.deepEqual(order, []);
  await turn();
  assert.deepEqual(order, ['paid with 0 sent']);
  for (const { each } of handles) assert.deepEqual(each, ['head;body;head;body;']);
});
