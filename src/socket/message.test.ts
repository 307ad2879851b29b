import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyReader } from '../http/body.ts';
import { HttpFault } from '../http/fault.ts';
import { LENGTH_CHUNKED, LENGTH_CLOSE, LENGTH_NONE } from '../kernel/exchange.ts';
import { MemoryHandle } from './handle.fixture.ts';
import { MessageWriter } from './message.ts';
import { Wire } from './wire.ts';

const nobody = { onBytes() {}, onEof() {}, onDrain() {}, onBroken() {} };

/** Writes a message in pieces; gives what left. */
function write(length: number, pieces: readonly Buffer[], trailers = ''): { sent: string; complete: boolean } {
  const handle = new MemoryHandle();
  const writer = new MessageWriter(new Wire(handle, nobody));
  writer.start('HEAD\r\n\r\n', length);
  for (const piece of pieces) {
    // Written out of the middle of a larger buffer that is used again at once.
    const around = Buffer.concat([Buffer.from('<<'), piece, Buffer.from('>>')]);
    writer.write(around, 2, 2 + piece.length);
    around.fill(0);
  }
  const { complete } = writer;
  writer.end(trailers);
  return { sent: handle.sent, complete };
}

const abc = Buffer.from('abc');

test('a counted body is written as it is, and never longer than promised', () => {
  assert.deepEqual(write(6, [abc, abc]), { sent: 'HEAD\r\n\r\nabcabc', complete: true });
  assert.deepEqual(write(4, [abc, abc]), { sent: 'HEAD\r\n\r\nabca', complete: true });
  assert.deepEqual(write(9, [abc]), { sent: 'HEAD\r\n\r\nabc', complete: false });
  assert.deepEqual(write(0, [abc]), { sent: 'HEAD\r\n\r\n', complete: true });
  assert.deepEqual(write(LENGTH_NONE, [abc]), { sent: 'HEAD\r\n\r\n', complete: true });
});

test('a chunked body ends in its last chunk and trailers; an empty piece is no last chunk', () => {
  assert.equal(
    write(LENGTH_CHUNKED, [abc, Buffer.alloc(0), abc]).sent,
    'HEAD\r\n\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n',
  );
  assert.equal(write(LENGTH_CHUNKED, [], 'X-T: 1\r\n').sent, 'HEAD\r\n\r\n0\r\nX-T: 1\r\n\r\n');
  assert.equal(write(LENGTH_CLOSE, [abc]).sent, 'HEAD\r\n\r\nabc');
});

const limits = { body: 1 << 20, chunkExtensions: 0, trailers: 1000, fields: 10 };

test('what is written reads back the same, whatever framing and pieces (property)', () => {
  // Sizes around the scratch buffer, where small writes are composed and large ones are not.
  const size = fc.oneof(fc.nat(40), fc.integer({ min: 20_400, max: 20_500 }), fc.constant(70_000));
  fc.assert(
    fc.property(
      fc.array(size, { maxLength: 6 }),
      fc.constantFrom('chunked', 'counted'),
      fc.nat(3),
      (sizes, framing, seed) => {
        const pieces = sizes.map((n, i) => Buffer.alloc(n, 97 + ((i + seed) % 26)));
        const payload = Buffer.concat(pieces).toString('latin1');
        const length = framing === 'chunked' ? LENGTH_CHUNKED : payload.length;
        const trailers = framing === 'chunked' && seed > 1 ? 'X-T: 1\r\n' : '';
        const bytes = Buffer.from(`${write(length, pieces, trailers).sent}NEXT`, 'latin1');
        const reader = new BodyReader();
        reader.begin(length, limits);
        let got = '';
        let at: number | HttpFault = 8;
        if (!reader.done) {
          at = reader.read(bytes, 8, bytes.length, {
            onPayload: (b, from, to) => {
              got += b.toString('latin1', from, to);
            },
          });
        }
        assert.ok(!(at instanceof HttpFault), at instanceof HttpFault ? at.message : '');
        assert.ok(got === payload);
        assert.equal(bytes.toString('latin1', at), 'NEXT');
        assert.equal(reader.trailers, trailers);
      },
    ),
  );
});
