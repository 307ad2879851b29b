import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { loosePath } from '../http/path.ts';
import { canonicalPath, REFUSED, scanPath } from './target.ts';

describe('targets', () => {
  const refused = ['/a/../b', '/..', '/.', '/a/.', '/%2e%2e/a', '/.%2E/a', '/a/..%2fb', '/..;x=1/a', '/..%3bx/a'];
  const alsoRefused = ['/%252e%252e/a', '/a\\b', '/a%5c..%5cb', '/a%00', '/a%', '/a%2', '/a%zz', '/a b', '/a#b', '/\t'];
  for (const path of [...refused, ...alsoRefused]) {
    test(`${JSON.stringify(path)} is refused`, () => assert.equal(scanPath(path), REFUSED));
  }
  for (const path of ['/', '/.well-known/x', '/a..b', '/...', '/a.', '/a;b', '/x%2Fy', '/%25', '//', '*', 'h:443']) {
    test(`${path} passes`, () => assert.notEqual(scanPath(path), REFUSED));
  }
  test('canonical form', () => {
    assert.equal(canonicalPath('/%61%2f//%7e%c3%a9\xe9'), '/a%2F/~%C3%A9%E9');
    assert.equal(loosePath('/a%252Fb;x=1/%3bc\\d'), '/a/b/d');
  });
  test('normalising is idempotent and never makes a dot segment out of what passed', () => {
    const piece = fc.constantFrom('/', '.', '%2e', '%2F', '%5c', ';', 'a', '%61', '%25', '2e', '%', '\\', '\xe9');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const path = `/${pieces.join('')}`;
        if (scanPath(path) === REFUSED) return;
        const once = canonicalPath(path);
        assert.equal(canonicalPath(once), once);
        assert.doesNotMatch(once, /(^|\/)\.\.?(\/|$)/);
        assert.doesNotMatch(loosePath(path), /(^|\/)\.\.?(\/|$)/);
      }),
      { numRuns: 2000 },
    );
  });
});
