import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const CLI = join(import.meta.dirname, 'cli.js');
const ROOT = join(import.meta.dirname, '../../..');

/** Standard output of `gatehouse check --as AS --explain REQUEST` with an example. */
function explained(example: string, as: string, request: string): string {
  const env = { ...process.env, ALICE_KEY: 'alice-0123456789abcdef0123', BATCH_KEY: 'batch-0123456789abcdef0123' };
  const args = [CLI, 'check', '-c', `examples/${example}.yaml`, '--as', as, '--explain', request];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', env });
  return stdout + stderr;
}

const EMBED = 'POST /v1/embeddings model=e';
const TYPO = `gh_live_${'a'.repeat(39)}`;

describe('check --as says what the gateway would do', () => {
  const cases: [string, string, string, RegExp, RegExp?][] = [
    [
      'keys',
      'batch',
      `${EMBED} ip=8.8.8.8`,
      /refused by networks of the key\nanswer: 401 [^\n]*from 127\.0\.0\.0\/8, 10/,
    ],
    [
      'keys',
      'batch',
      `${EMBED} ip=10.1.2.3`,
      /it must come from 127\.0\.0\.0\/8, 10\.0\.0\.0\/8\n[\s\S]*endpoint/,
      /not looked at/,
    ],
    ['keys', 'batch', EMBED, /not looked at, for the request names no ip=ADDRESS/],
    ['plans', 'alice', 'GET /internal/x', /a rule asks for the address[^\n]*judged as if from 127\.0\.0\.1\n/],
    ['plans', 'alice', 'GET /internal/x ip=8.8.8.8', /from the office network only/, /asks for the address/],
    ['plans', 'alice', 'GET /v1/models', /limits: /, /asks for the address/],
    ['keys', TYPO, EMBED, /answer: 401 [^\n]*its form or checksum is wrong/],
    ['keys', 'nobody', EMBED, /answer: 401 [^\n]*no key with this name/],
    ['plans', 'newcomer', 'GET /v1/models', /models of this route that the caller may use: chat-small\n/, /chat-large/],
    ['plans', 'newcomer', 'GET /v1/models/chat-large', /answer: 404 model_not_found/],
    ['plans', 'newcomer', 'GET /v1/models/chat-small', /answer: 200/],
  ];
  for (const [example, as, request, expected, never] of cases) {
    test(`${example}: ${as}: ${request}`, () => {
      const told = explained(example, as, request);
      assert.match(told, expected);
      if (never !== undefined) assert.doesNotMatch(told.slice(told.indexOf('access:')), never);
    });
  }
});
