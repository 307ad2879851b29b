import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CLI_PAGE, cliReference } from './generate.ts';
import { makeProgram } from './program.ts';

test(`${CLI_PAGE} is what the commands say now`, () => {
  const page = readFileSync(join(import.meta.dirname, '../../..', CLI_PAGE), 'utf8');
  assert.equal(page, cliReference(), 'stale; run: npm run generate');
});

test('every command and option is described, in the same style', () => {
  for (const command of makeProgram().commands) {
    const texts = [command.description(), ...command.options.map(({ description }) => description)];
    for (const text of texts) assert.match(text, /^[a-z].*[^.]$/s, `${command.name()}: ${JSON.stringify(text)}`);
  }
});
