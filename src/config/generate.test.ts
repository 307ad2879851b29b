import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeCertificate } from '../../test/certificate.ts';
import { loadConfig } from './config.ts';
import { generatedFiles } from './generate.ts';
import { formatProblem } from './problem.ts';
import { type JsonSchema, rawSchema } from './schema.ts';

const ROOT = join(import.meta.dirname, '../../..');

for (const [path, text] of Object.entries(generatedFiles())) {
  test(`${path} is what the schema says now`, () => {
    assert.equal(readFileSync(join(ROOT, path), 'utf8'), text, 'stale; run: npm run generate');
  });
}

test('every setting is described', () => {
  const bare: string[] = [];
  const look = (schema: JsonSchema, path: string): void => {
    for (const [key, child] of Object.entries(schema.properties ?? {})) {
      if (child.description === undefined) bare.push(`${path}.${key}`);
      look(child, `${path}.${key}`);
    }
    if (typeof schema.additionalProperties === 'object') look(schema.additionalProperties, path);
    if (schema.items) look(schema.items, `${path}[]`);
    for (const choice of schema.anyOf ?? []) look(choice, path);
  };
  look(rawSchema(), '');
  assert.deepEqual(bare, []);
});

const pair = makeCertificate({ name: 'example' });

for (const file of readdirSync(join(ROOT, 'examples')).filter((name) => name.endsWith('.yaml'))) {
  test(`examples/${file} is right, without warnings`, () => {
    const result = loadConfig(join(ROOT, 'examples', file), {
      env: {
        ALICE_KEY: 'a key of sixteen or more'.replaceAll(' ', '-'),
        BATCH_KEY: 'another-key-that-is-long-enough',
        TRIAL_KEY: 'a-key-of-a-trial-of-ours',
        TEAM_KEY: 'the-key-of-a-whole-team',
        ADMIN_KEY: 'the-key-of-an-administrator',
        ADMIN_TOKEN: 'an-admin-token-of-the-tests',
        GATEHOUSE_PEPPER: 'a-pepper-of-at-least-thirty-two-characters',
        BATCH_SECRET: 'a-secret-of-more-than-24-characters',
      },
      readFile: (path) => {
        if (!path.includes('/examples/tls/')) return readFileSync(path);
        return Buffer.from(path.endsWith('.key') ? pair.key : pair.certificate);
      },
    });
    assert.deepEqual((result.ok ? result.warnings : result.problems).map(formatProblem), []);
    assert.ok(result.ok);
  });
}
