import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SseSplitter } from './sse.ts';

interface Got {
  events: string[];
  pieces: string;
  tail: string;
}

function split(parts: readonly Buffer[], limit = 1000): Got {
  const got: Got = { events: [], pieces: '', tail: '' };
  const splitter = new SseSplitter(
    {
      event: (buffer, start, end) => got.events.push(buffer.toString('latin1', start, end)),
      piece: (buffer, start, end, last) => {
        got.pieces += buffer.toString('latin1', start, end) + (last ? '|' : '');
      },
      tail: (buffer, start, end) => {
        got.tail = buffer.toString('latin1', start, end);
      },
    },
    limit,
  );
  for (const part of parts) {
    // The slice lies inside a larger buffer with line ends around it, as it does in a socket's read buffer.
    const padded = Buffer.concat([Buffer.from('\n\r\n'), part, Buffer.from('\n\n\r\r')]);
    splitter.push(padded, 3, 3 + part.length);
    padded.fill('#');
  }
  splitter.end();
  return got;
}

const CASES: [string, string, string[], string?][] = [
  ['LF', 'data: a\n\ndata: b\n\n', ['data: a\n\n', 'data: b\n\n']],
  ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['data: a\r\n\r\n', 'data: b\r\n\r\n']],
  ['CR', 'data: a\r\rdata: b\r\r', ['data: a\r\r', 'data: b\r\r']],
  [
    'mixed',
    'data: a\n\r\ndata: b\r\n\ndata: c\r\n\rdata: d\n\n',
    ['data: a\n\r\n', 'data: b\r\n\n', 'data: c\r\n\r', 'data: d\n\n'],
  ],
  ['several lines', 'event: x\ndata: a\ndata: b\n\n', ['event: x\ndata: a\ndata: b\n\n']],
  ['comment', ': keep-alive\n\ndata: a\n\n', [': keep-alive\n\n', 'data: a\n\n']],
  ['stray blank lines', '\n\ndata: a\n\n\n', ['\n', '\n', 'data: a\n\n', '\n']],
  ['byte order mark', '\xef\xbb\xbfdata: a\n\n', ['\xef\xbb\xbfdata: a\n\n']],
  ['no end', 'data: a\n\ndata: b\n', ['data: a\n\n'], 'data: b\n'],
  ['end after a CR', 'data: a\r\n\r', ['data: a\r\n\r']],
  ['empty', '', []],
  [
    'long line',
    `data: ${'x'.repeat(700)}\r\n\r\ndata: ${'y'.repeat(300)}\n\n`,
    [`data: ${'x'.repeat(700)}\r\n\r\n`, `data: ${'y'.repeat(300)}\n\n`],
  ],
];

describe('SseSplitter', () => {
  for (const [name, text, events, tail] of CASES) {
    it(`${name}: the same at every split`, () => {
      const bytes = Buffer.from(text, 'latin1');
      const wanted = { events, pieces: '', tail: tail ?? '' };
      assert.deepEqual(split([bytes]), wanted);
      for (let at = 0; at <= bytes.length; at++) {
        assert.deepEqual(split([bytes.subarray(0, at), bytes.subarray(at)]), wanted, `split at ${at}`);
      }
      assert.deepEqual(split([...bytes].map((byte) => Buffer.of(byte))), wanted, 'byte by byte');
    });
  }

  it('hands an event over the limit on in pieces and goes on behind it', () => {
    const bytes = Buffer.from(`data: a\n\ndata: ${'x'.repeat(50)}\n\ndata: b\n\n`);
    const wanted = { events: ['data: a\n\n', 'data: b\n\n'], pieces: `data: ${'x'.repeat(50)}\n\n|`, tail: '' };
    for (let at = 0; at <= bytes.length; at++) {
      assert.deepEqual(split([bytes.subarray(0, at), bytes.subarray(at)], 20), wanted, `split at ${at}`);
    }
    assert.deepEqual(
      split(
        [...bytes].map((byte) => Buffer.of(byte)),
        20,
      ),
      wanted,
    );
  });

  it('tells whether it stands between events', () => {
    const none = () => {};
    const splitter = new SseSplitter({ event: none, piece: none, tail: none }, 20);
    assert.equal(splitter.atBoundary, true);
    const seen = ['data: a', '\n', '\n', `data: ${'x'.repeat(40)}`, 'y', '\n\n'].map((text) => {
      const bytes = Buffer.from(text);
      splitter.push(bytes, 0, bytes.length);
      return splitter.atBoundary;
    });
    assert.deepEqual(seen, [false, false, true, false, false, true]);
  });

  it('any bytes, any splits: nothing lost, nothing doubled, the same events', () => {
    const text = fc.array(fc.constantFrom('\r', '\n', '\r\n', '\n\n', 'data: x', ': c', 'é'), { maxLength: 30 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(60), { maxLength: 6 }), fc.constantFrom(5, 1000), (parts, cuts, limit) => {
        const bytes = Buffer.from(parts.join(''));
        const whole = split([bytes], limit);
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, k) => bytes.subarray(at[k], end));
        assert.deepEqual(split(pieces, limit), whole);
        if (limit === 1000) assert.equal(whole.events.join('') + whole.tail, bytes.toString('latin1'));
      }),
      { numRuns: 2000 },
    );
  });
});
