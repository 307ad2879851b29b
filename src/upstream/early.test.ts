import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageWriter } from '../socket/message.ts';
import { EarlyRequest } from './early.ts';

/** What a writer was told, in order. */
function record() {
  const told: string[] = [];
  const writer = {
    start: (head: string, length: number) => told.push(`start ${head} ${length}`),
    write: (buffer: Buffer, start: number, end: number) => told.push(`write ${buffer.toString('latin1', start, end)}`),
    end: (trailers: string) => told.push(`end ${trailers}`),
  };
  return { told, writer: writer as unknown as MessageWriter };
}

test('head, body and end are sent in order, from copies', () => {
  const early = new EarlyRequest('HEAD', 4, 65_536);
  const buffer = Buffer.from('.abcd.');
  assert.equal(early.write(buffer, 1, 3), true);
  assert.equal(early.write(buffer, 3, 5), true);
  buffer.fill(0);
  early.end('a: b\r\n');
  const { told, writer } = record();
  early.send(writer);
  assert.deepEqual(told, ['start HEAD 4', 'write ab', 'write cd', 'end a: b\r\n']);
});

test('a request that is not complete is not ended; when the room is full the client waits', () => {
  const early = new EarlyRequest('HEAD', -2, 65_536);
  const buffer = Buffer.alloc(65_536);
  assert.equal(early.write(buffer, 0, 65_535), true);
  assert.equal(early.write(buffer, 0, 1), false);
  assert.equal(early.ended, false);
  const { told, writer } = record();
  early.send(writer);
  assert.equal(told.length, 3);
});
