import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LENGTH_CHUNKED, LENGTH_CLOSE, LENGTH_NONE } from '../kernel/exchange.ts';
import { MessageWriter } from './message.ts';
import { recordingWire } from './wire.fixture.ts';

function write(length: number, body: string[], trailers = '') {
  const { wire, written } = recordingWire();
  const writer = new MessageWriter(wire);
  writer.start('HEAD\r\n\r\n', length);
  for (const piece of body) {
    const buffer = Buffer.from(`..${piece}..`);
    writer.write(buffer, 2, buffer.length - 2);
  }
  const { complete } = writer;
  writer.end(trailers);
  return { sent: written().slice('HEAD\r\n\r\n'.length), complete };
}

test('each framing, to the byte', () => {
  const cases: [length: number, body: string[], trailers: string, sent: string, complete: boolean][] = [
    [4, ['ab', 'cd'], 'x: y\r\n', 'abcd', true],
    [4, ['ab'], '', 'ab', false],
    [0, [], '', '', true],
    [LENGTH_NONE, ['ab'], '', '', true], // no body: nothing may be sent
    [3, ['ab', 'cd'], '', 'abc', true], // never more than was promised
    [LENGTH_CLOSE, ['ab', 'cd'], 'x: y\r\n', 'abcd', true],
    [LENGTH_CHUNKED, ['ab', '', 'cde'], '', '2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n', true], // an empty chunk would end it
    [LENGTH_CHUNKED, ['ab'], 'x: y\r\n', '2\r\nab\r\n0\r\nx: y\r\n\r\n', true],
    [LENGTH_CHUNKED, ['a'.repeat(30_000)], '', `7530\r\n${'a'.repeat(30_000)}\r\n0\r\n\r\n`, true],
  ];
  for (const [length, body, trailers, sent, complete] of cases) {
    assert.deepEqual(write(length, body, trailers), { sent, complete }, `${length} ${body.join('|').slice(0, 20)}`);
  }
});

test('a tunnel passes bytes as they are', () => {
  const { wire, written } = recordingWire();
  const writer = new MessageWriter(wire);
  writer.start('HEAD', LENGTH_CHUNKED);
  writer.tunnel();
  writer.write(Buffer.from('raw'), 0, 3);
  writer.end('');
  assert.equal(written(), 'HEADraw');
});

test('however the body is cut, its chunks hold it whole', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 50 })), (pieces) => {
      let { sent } = write(LENGTH_CHUNKED, pieces);
      let body = '';
      for (;;) {
        const end = sent.indexOf('\r\n');
        const size = Number.parseInt(sent.slice(0, end), 16);
        sent = sent.slice(end + 2);
        if (size === 0) break;
        body += sent.slice(0, size);
        assert.equal(sent.slice(size, size + 2), '\r\n');
        sent = sent.slice(size + 2);
      }
      assert.equal(sent, '\r\n');
      assert.equal(body, pieces.join(''));
    }),
  );
});
