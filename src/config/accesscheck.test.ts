import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, loadConfig } from './config.ts';

const KEY = 'a-key-of-sixteen-characters-and-more';
const PEPPER = 'a-pepper-of-at-least-thirty-two-characters';

function told(access: string, wants: string): string[] {
  const text = [
    'listeners: { p: { address: "127.0.0.1:0" } }',
    'upstreams: { u: { endpoints: [{ url: "http://127.0.0.1:1" }] } }',
    `access: ${access}`,
    `routes: [{ name: r, upstream: u${wants === '' ? '' : `, access: { anyOf: [${wants}] }`} }]`,
  ].join('\n');
  const env = {
    A: KEY,
    B: `${KEY}2`,
    P: PEPPER,
    SHORT: 'short',
    TYPO: 'gh_live_000A7dl5PEW67zZCpFU9uKaHnGgOvQKAR0qNdTx',
  };
  const result = loadConfig('g.yaml', { cwd: '/x', env, readFile: () => Buffer.from(text) });
  const problems = result.ok ? [] : result.problems;
  const lines = [...problems, ...result.warnings].map(formatProblem);
  for (const secret of [KEY, PEPPER, 'plain-key-that-is-long', 'plain-but']) {
    assert.ok(!lines.join('\n').includes(secret), `no message quotes a secret: ${lines.join('\n')}`);
  }
  return lines.map((line) => line.replace(/^g\.yaml:\d+:\d+: /, ''));
}

const cases: [what: string, access: string, wants: string, lines: RegExp[]][] = [
  ['declared keys', '{ keys: [{ name: a, key: "${A}" }] }', 'apiKey', []],
  ['a pepper alone', '{ pepper: "${P}" }', 'apiKey', []],
  ['two peppers', '{ pepper: ["${P}", "${P}x"] }', 'apiKey', []],
  ['neither', '{}', 'apiKey', [/^routes\[0\]\.access\.anyOf: keys can come in only when/]],
  ['no rules', '{ keys: [{ name: a, key: "${A}" }] }', 'apiKey, certificate', [/there are no access\.certificates/]],
  ['no issuers', '{}', 'jwt', [/there are no access\.issuers/]],
  ['nobody asks', '{ keys: [{ name: a, key: "${A}" }] }', '', [/^access\.keys: no route asks for a key/]],
  [
    'the same name',
    '{ keys: [{ name: a, key: "${A}" }, { name: a, key: "${B}" }] }',
    'apiKey',
    [/two keys are named "a"/],
  ],
  [
    'the same key',
    '{ keys: [{ name: a, key: "${A}" }, { name: b, key: "${A}" }] }',
    'apiKey',
    [/same key as that of "a"/],
  ],
  [
    'a key in the open',
    '{ keys: [{ name: a, key: plain-key-that-is-long }] }',
    'apiKey',
    [/^access\.keys\[0\]\.key: a secret stands in the file/],
  ],
  [
    'a short key',
    '{ keys: [{ name: a, key: "${SHORT}" }] }',
    'apiKey',
    [/^access\.keys\[0\]\.key: expected a key of 16 to 256/],
  ],
  [
    'a short key in the open',
    '{ keys: [{ name: a, key: plain-but }] }',
    'apiKey',
    [/expected a key of 16 to 256 printable characters without spaces$/],
  ],
  ['a typo', '{ keys: [{ name: a, key: "${TYPO}" }] }', 'apiKey', [/checksum is wrong: was it cut off, or mistyped\?/]],
  [
    'key and hash',
    `{ pepper: "\${P}", keys: [{ name: a, key: "\${A}", hash: ${'A'.repeat(43)} }] }`,
    'apiKey',
    [/expected either "key" or "hash"/],
  ],
  [
    'a hash without a pepper',
    `{ keys: [{ name: a, hash: ${'A'.repeat(43)} }] }`,
    'apiKey',
    [/a hash needs the pepper/],
  ],
  ['a short pepper', '{ pepper: "${SHORT}" }', 'apiKey', [/^access\.pepper: expected at least 32 characters/]],
  [
    'a network',
    '{ keys: [{ name: a, key: "${A}", networks: [10.0.0.0/33] }] }',
    'apiKey',
    [/expected an IP address or network/],
  ],
  [
    'a rule for everybody',
    '{ certificates: [{ name: a }] }',
    'certificate',
    [/expected at least one of subject, issuer, san and thumbprint/],
  ],
];

for (const [what, access, wants, lines] of cases) {
  test(`access: ${what}`, () => {
    const all = told(access, wants);
    assert.equal(all.length, lines.length, all.join('\n'));
    for (const [i, line] of lines.entries()) assert.match(all[i] as string, line);
  });
}
