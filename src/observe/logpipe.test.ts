import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { LogBuffer } from './logbuffer.ts';
import { pipeSink } from './logpipe.ts';

/** Two ends of a real connection. */
async function pair(t: TestContext): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  t.after(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return [near, far];
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test('batches of any size and script arrive as they were, whatever buffer carried them', async (t) => {
  const [near, far] = await pair(t);
  const received: Buffer[] = [];
  far.on('data', (bytes) => received.push(bytes));
  const sink = pipeSink(near, () => {});
  let sent = '';
  for (let i = 0; i < 50; i++) {
    const chunk = `${i} a\u00e9\u4e2d\u{1f600}\n`.repeat(1 + ((i * 997) % 20_000));
    sink.write(chunk);
    sent += chunk;
    if (i % 3 === 0) await settle();
  }
  near.end();
  await once(far, 'close');
  assert.ok(Buffer.concat(received).equals(Buffer.from(sent, 'utf8')));
});

test('a stuck writer holds the worker back, nothing waits without bound, and all counts add up', async (t) => {
  const [near, far] = await pair(t);
  const received: Buffer[] = [];
  far.on('data', (bytes) => received.push(bytes));
  far.pause();
  const clock = new ManualClock();
  const buffer: LogBuffer = new LogBuffer(
    pipeSink(near, () => buffer.drained()),
    clock,
    { maxSize: 128 * 1024 },
  );
  const line = `${'x'.repeat(1023)}\n`;
  let added = 0;
  while (buffer.dropped < 100) {
    for (let i = 0; i < 64; i++) buffer.add(line);
    added += 64;
    await settle();
    assert.ok(near.writableLength <= 256 * 1024);
  }
  far.resume();
  buffer.close();
  near.end();
  await once(far, 'close');
  assert.equal(Buffer.concat(received).length / 1024 + buffer.dropped, added);
});

test('a supervisor that is gone costs lines, not the worker', async (t) => {
  const [near, far] = await pair(t);
  const buffer = new LogBuffer(
    pipeSink(near, () => {}),
    new ManualClock(),
    { flushSize: 1, maxSize: 10 },
  );
  far.destroy();
  await once(near, 'close');
  for (let i = 0; i < 20; i++) buffer.add('x\n');
  assert.equal(buffer.dropped, 14);
});
