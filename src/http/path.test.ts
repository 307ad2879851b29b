import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isOdd, loosePath, readings } from './path.ts';

describe('the two readings of a path', () => {
  // What is compared keeps its letters, and its slash at the end; what is counted does not.
  const cases: [path: string, loose: string, whole: string, cut?: string][] = [
    ['/v1/chat', '/v1/chat', '/v1/chat'],
    ['/V1//Chat/', '/V1/Chat/', '/v1/chat'],
    ['/v1%2fchat', '/v1/chat', '/v1/chat'],
    ['/v1%5Cchat\\x', '/v1/chat/x', '/v1/chat/x'],
    ['/%2525252525252576%31', '/v1', '/v1'],
    ['/%25%37%36', '/v', '/v'],
    ['/%%37%366', '/v6', '/v6'],
    ['/a;x/b;y=%2Fz', '/a/b/z', '/a/b/z', '/a'],
    ['/a%3Bx/b', '/a/b', '/a/b', '/a'],
    ['/a%3Fb/c', '/a?b/c', '/a'],
    ['/a%2523b', '/a#b', '/a'],
    ['/a%20/b%2e', '/a /b.', '/a/b'],
    ['/a%00', '/a%00', '/a'],
    ['/a%250a', '/a%0A', '/a'],
    ['/%EF%BD%81', '/%EF%BD%81', '/a'],
    ['/%e9\xe9', '/%E9%E9', '/'],
    ['/a/%2e%2E/b', '/a/../b', '/b'],
    ['/100%', '/100%', '/100%'],
    ['/%zz', '/%zz', '/%zz'],
    ['*', '*', '/*'],
  ];
  for (const [path, loose, whole, cut = whole] of cases) {
    it(JSON.stringify(path), () => {
      assert.equal(loosePath(path), loose);
      assert.deepEqual(readings(path), { whole, cut });
    });
  }

  const piece = fc.constantFrom(
    ...['/', '//', '\\', '.', '..', ';', 'a', 'B', '1', ' ', '~', '\xe9', '%', '%2', '%zz', '25', '2f', '5c'],
    ...['%2e', '%2F', '%5c', '%3b', '%41', '%25', '%252e', '%25252f', '%00', '%0a', '%c3%a9', '%EF%BD%93', '%ff'],
  );
  const path = fc.array(piece, { maxLength: 16 }).map((pieces) => `/${pieces.join('')}`);

  it('agree: what is counted by the one is what is counted by the other', () => {
    fc.assert(
      fc.property(path, (given) => {
        const loose = loosePath(given);
        assert.deepEqual(readings(loose), { whole: readings(given).whole, cut: readings(given).whole });
        // And so there is nothing more to be read in it.
        assert.equal(loosePath(loose), loose);
      }),
      { numRuns: 5000 },
    );
  });

  it('are the path itself where it is not odd', () => {
    const plain = fc.string({ unit: fc.constantFrom(...'ab1-_./') }).map((text) => `/${text}`);
    fc.assert(
      fc.property(fc.oneof(path, plain), (given) => {
        if (isOdd(given)) return;
        assert.equal(loosePath(given), given);
        assert.deepEqual(readings(given), { whole: given, cut: given });
      }),
      { numRuns: 5000 },
    );
  });

  it('take time by the length only', () => {
    for (const hard of [
      '%25'.repeat(40_000),
      `%${'25'.repeat(60_000)}2f`,
      ';/'.repeat(60_000),
      '%c3%a9'.repeat(20_000),
    ])
      for (const read of [loosePath, readings]) read(`/${hard}`);
  });
});
