import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { LogBuffer } from './logbuffer.ts';
import { pipeSink, readPipe } from './logpipe.ts';

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

test('however the bytes are split, only whole lines pass, in order', async () => {
  const lines = fc.array(fc.string({ unit: 'binary', maxLength: 20 }).map((s) => `${s.replace(/\n/g, '')}\n`));
  await fc.assert(
    fc.asyncProperty(lines, fc.array(fc.integer({ min: 1, max: 9 })), fc.boolean(), async (all, cuts, torn) => {
      const bytes = Buffer.from(all.join('') + (torn ? 'unfinished' : ''), 'utf8');
      const pipe = new PassThrough();
      const passed: Buffer[] = [];
      let tornLines = 0;
      const write = (batch: Buffer) => {
        assert.equal(batch.at(-1), 0x0a);
        return passed.push(batch) > 0;
      };
      readPipe(pipe, write, () => tornLines++);
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        pipe.write(bytes.subarray(at, at + cut));
        at += cut;
        await settle();
      }
      pipe.end();
      await once(pipe, 'close');
      assert.equal(Buffer.concat(passed).toString('utf8'), all.join(''));
      assert.equal(tornLines, torn ? 1 : 0);
    }),
    { numRuns: 40 },
  );
});

test('batches of any size and script arrive as they were, whatever buffer carried them', async (t) => {
  const [near, far] = await pair(t);
  const received: Buffer[] = [];
  readPipe(
    far,
    (batch) => received.push(batch) > 0,
    () => assert.fail('torn'),
  );
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

test('what has no end is given up, not kept', async () => {
  const pipe = new PassThrough();
  let torn = 0;
  readPipe(
    pipe,
    () => assert.fail('no line'),
    () => torn++,
  );
  for (let i = 0; i < 9; i++) {
    pipe.write(Buffer.alloc(8 * 1024, 'x'));
    await settle();
  }
  assert.equal(torn, 1);
  pipe.destroy();
});

test('a stuck writer holds the worker back, nothing waits without bound, and all counts add up', async (t) => {
  const [near, far] = await pair(t);
  const received: Buffer[] = [];
  let takes = false;
  const reader = readPipe(
    far,
    (batch) => received.push(batch) > 0 && takes,
    () => assert.fail('torn'),
  );
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
  takes = true;
  reader.resume();
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
