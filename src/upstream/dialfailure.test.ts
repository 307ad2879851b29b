import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dialFailure } from './dialfailure.ts';
import { speaksAgainstServer } from './replay.ts';

const cases: [code: string, tls: boolean, error: string, kind: string, againstServer: boolean][] = [
  ['ECONNREFUSED', false, 'upstream_refused', 'upstream_refused', true],
  ['ENOTFOUND', false, 'upstream_dns', 'upstream_dns', true],
  ['CERT_HAS_EXPIRED', true, 'upstream_tls', 'upstream_tls', true],
  ['EMFILE', false, 'overloaded', 'no_socket_left', false],
  ['EADDRNOTAVAIL', false, 'overloaded', 'no_socket_left', false],
];
for (const [code, tls, expected, kind, against] of cases) {
  test(`${code}${tls ? ' in the handshake' : ''} is ${expected}`, () => {
    const [counted, error] = dialFailure(code, 'message', tls);
    assert.deepEqual([error.code, counted, speaksAgainstServer(error.code)], [expected, kind, against]);
    assert.ok(error.message.includes(tls ? 'message' : code));
  });
}
