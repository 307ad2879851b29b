import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChunkedDecoder, writeChunkSize } from './chunked.ts';
import { HttpFault } from './fault.ts';

/** Bytes as one character each. */
const latin1 = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));

const limits = { body: 100_000, chunkExtensions: 64, trailers: 200, fields: 10 };

/** Decodes `text` in the given pieces; gives the payload, the trailers and what was left over, or the fault's kind. */
function decode(text: string, cuts: number[]): { payload: string; trailers: string; rest: string } | string {
  const bytes = Buffer.from(text, 'latin1');
  const decoder = new ChunkedDecoder(limits);
  let payload = '';
  const sink = {
    onPayload(buffer: Buffer, start: number, end: number) {
      payload += buffer.toString('latin1', start, end);
    },
  };
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    // A fresh buffer for each piece, overwritten afterwards, as a shared read buffer would be.
    const piece = Buffer.from(bytes.subarray(from, end));
    const at = decoder.decode(piece, 0, piece.length, sink);
    if (at instanceof HttpFault) return at.kind;
    if (decoder.done) return { payload, trailers: decoder.trailers, rest: bytes.toString('latin1', from + at) };
    piece.fill(0);
    from = end;
  }
  return 'incomplete';
}

const faults: [string, string, string][] = [
  ['no size', '\r\nabc\r\n', 'chunk_size'],
  ['a signed size', '+3\r\nabc\r\n0\r\n\r\n', 'chunk_size'],
  ['a 0x size', '0x3\r\nabc\r\n0\r\n\r\n', 'chunk_size'],
  ['a space before the size', ' 3\r\nabc\r\n0\r\n\r\n', 'chunk_size'],
  ['a space behind the size', '3 \r\nabc\r\n0\r\n\r\n', 'chunk_size'],
  ['a size too long', `${'0'.repeat(13)}3\r\nabc\r\n`, 'chunk_size'],
  ['a bare LF behind the size', '3\nabc\r\n', 'bare_lf'],
  ['a bare CR behind the size', '3\rabc\r\n', 'bare_cr'],
  ['a chunk longer than its size', '3\r\nabcd\r\n', 'chunk_end'],
  ['a chunk that ends in LF', '3\r\nabc\n', 'chunk_end'],
  ['a chunk that ends in CR', '3\r\nabc\rx', 'chunk_end'],
  ['LF in an extension', '3;a\nb\r\nabc\r\n', 'bare_lf'],
  ['NUL in an extension', '3;a\0b\r\nabc\r\n', 'chunk_extensions'],
  ['an open quote', '3;a="b\r\nabc\r\n', 'chunk_extensions'],
  ['an extension without a name', '3;\r\nabc\r\n', 'chunk_extensions'],
  ['two semicolons', '3;a;;b\r\nabc\r\n', 'chunk_extensions'],
  ['a value without a name', '3;=b\r\nabc\r\n', 'chunk_extensions'],
  ['Latin-1 in an extension', '3;\xe4\r\nabc\r\n', 'chunk_extensions'],
  ['a length in the trailers', '0\r\nContent-Length: 5\r\n\r\n', 'trailers'],
  ['a coding in the trailers', '0\r\nTransfer-Encoding: chunked\r\n\r\n', 'trailers'],
  ['many extensions', `3;${'a'.repeat(100)}\r\nabc\r\n`, 'chunk_extensions'],
  ['a trailer with bare LF', '0\r\nA: b\nC: d\r\n\r\n', 'bare_lf'],
  ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n', 'obs_fold'],
  ['trailers too large', `0\r\nA: ${'b'.repeat(300)}\r\n\r\n`, 'trailers_too_large'],
  ['a body too large', '186a1\r\n', 'body_too_large'],
  ['no last chunk', '3\r\nabc\r\n', 'incomplete'],
];

for (const [what, text, kind] of faults) {
  test(`refuses ${what}, whole and byte by byte`, () => {
    assert.equal(decode(text, []), kind);
    assert.equal(
      decode(
        text,
        Array.from(text, (_, i) => i),
      ),
      kind,
    );
  });
}

test('reads chunks, drops extensions, keeps trailers that may travel', () => {
  const text =
    '3;a=b;c="d;\te\\""; f\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nX_Sum: 2\r\nHost: x\r\nX-Forwarded-For: z\r\nAuthorization: y\r\n\r\nNEXT';
  assert.deepEqual(decode(text, []), { payload: 'abc0123456789', trailers: 'X-Sum: 1\r\n', rest: 'NEXT' });
});

test('any split of the bytes gives the same parse (property)', () => {
  const chunk = latin1(1, 40);
  const extension = fc.constantFrom('', ';a', ';a=b', ';q="x y"');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(chunk, extension), { maxLength: 8 }),
      fc.constantFrom('', 'X-T: 1\r\n', 'X-T: 1\r\nX-U: 2\r\n'),
      fc.array(fc.nat(400)),
      (chunks, trailers, cuts) => {
        const body = chunks.map(([data, ext]) => `${data.length.toString(16)}${ext}\r\n${data}\r\n`).join('');
        const result = decode(`${body}0\r\n${trailers}\r\nREST`, cuts);
        assert.deepEqual(result, { payload: chunks.map(([data]) => data).join(''), trailers, rest: 'REST' });
      },
    ),
    { numRuns: 500 },
  );
});

test('any bytes decode alike in any split, and never throw (property)', () => {
  const piece = fc.oneof(fc.constantFrom('0', '3', 'a', '\r\n', '\r', '\n', ';', 'abc', '"', 'A: b'), latin1(0, 3));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), fc.array(fc.nat(100)), (pieces, cuts) => {
      const text = pieces.join('');
      const whole = decode(text, []);
      const split = decode(text, cuts);
      // Where both end in a fault its kind may depend on how much of the bad line was seen; that it is one may not.
      if (typeof whole === 'string' && whole !== 'incomplete') assert.equal(typeof split, 'string');
      else assert.deepEqual(split, whole);
    }),
    { numRuns: 1000 },
  );
});

test('sizes are written as they are read (property)', () => {
  const out = Buffer.alloc(16);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0x7fffffff }), (size) => {
      assert.equal(out.toString('latin1', 0, writeChunkSize(out, 0, size)), `${size.toString(16)}\r\n`);
    }),
  );
});
