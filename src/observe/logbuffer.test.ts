import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { LogBuffer } from './logbuffer.ts';

function setUp(options: { flushSize?: number; maxSize?: number } = {}) {
  const clock = new ManualClock();
  const chunks: string[] = [];
  const told: [number, number][] = [];
  const sink = {
    takes: true,
    write(chunk: string) {
      chunks.push(chunk);
      return sink.takes;
    },
  };
  const onFlush = (lines: number, dropped: number) => told.push([lines, dropped]);
  const log = new LogBuffer(sink, clock, { flushSize: 10, flushMs: 100, maxSize: 20, onFlush, ...options });
  return { clock, chunks, told, sink, log };
}

test('a batch leaves when it is large enough', () => {
  const { chunks, told, log } = setUp();
  log.add('1234\n');
  assert.deepEqual(chunks, []);
  log.add('5678\n');
  assert.deepEqual(chunks, ['1234\n5678\n']);
  assert.deepEqual(told, [[2, 0]]);
});

test('a lone line leaves in time, and an idle buffer does nothing', () => {
  const { clock, chunks, log } = setUp();
  clock.advance(1000);
  log.add('a\n');
  clock.advance(99);
  assert.deepEqual(chunks, []);
  clock.advance(1);
  assert.deepEqual(chunks, ['a\n']);
  clock.advance(1000);
  assert.deepEqual(chunks, ['a\n']);
});

test('behind: lines wait, then are dropped and counted; drained: they go', () => {
  const { clock, chunks, told, sink, log } = setUp();
  sink.takes = false;
  log.add('123456789\n');
  for (let i = 0; i < 6; i++) log.add('1234\n');
  clock.advance(1000);
  assert.equal(chunks.length, 1);
  assert.equal(log.dropped, 2);
  sink.takes = true;
  log.drained();
  assert.deepEqual(chunks[1], '1234\n'.repeat(4));
  assert.deepEqual(told, [
    [1, 0],
    [0, 2],
    [4, 0],
  ]);
});

test('close sends what is left, even to a sink that is behind', () => {
  const { chunks, sink, log } = setUp();
  sink.takes = false;
  log.add('123456789\n');
  log.add('a\n');
  log.close();
  assert.deepEqual(chunks, ['123456789\n', 'a\n']);
});

test('every line arrives once and in order, or is counted as lost; memory stays bounded', () => {
  const step = fc.oneof(fc.nat(12), fc.constantFrom('behind' as const, 'drained' as const, 'time' as const));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const { clock, chunks, told, sink, log } = setUp();
      let n = 0;
      for (const what of steps) {
        if (what === 'behind') sink.takes = false;
        else if (what === 'time') clock.advance(100);
        else if (what === 'drained') {
          sink.takes = true;
          log.drained();
        } else log.add(`${n++}${'x'.repeat(what)}\n`);
      }
      sink.takes = true;
      log.close();
      const numbers = chunks
        .join('')
        .split('\n')
        .slice(0, -1)
        .map((line) => Number.parseInt(line, 10));
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
      );
      assert.equal(new Set(numbers).size + log.dropped, n);
      assert.equal(
        told.reduce((sum, [, lost]) => sum + lost, 0),
        log.dropped,
      );
      for (const chunk of chunks) assert.ok(chunk.length <= 20);
    }),
  );
});
