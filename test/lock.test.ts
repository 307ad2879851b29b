/** The lock files serve everyone: they name no registry, and hold the binaries of every platform. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inRepository } from './root.ts';

interface Locked {
  resolved?: string;
  link?: boolean;
  optionalDependencies?: Record<string, string>;
}

for (const path of ['package-lock.json', 'test/peers/package-lock.json']) {
  const { packages } = JSON.parse(readFileSync(inRepository(path), 'utf8')) as { packages: Record<string, Locked> };

  test(`${path} names no registry`, () => {
    const named = Object.entries(packages).filter(([, { resolved, link }]) => resolved !== undefined && !link);
    assert.deepEqual(
      named.map(([name]) => name),
      [],
      'npm writes `resolved` when omit-lockfile-registry-resolved is not set: see .npmrc',
    );
  });

  // npm leaves out what the registry at hand does not have (npm/cli#4828); `npm ci` then fails for everyone.
  test(`${path} has an entry for every optional binary`, () => {
    const missing: string[] = [];
    for (const [from, { optionalDependencies = {} }] of Object.entries(packages)) {
      for (const name of Object.keys(optionalDependencies)) {
        if (!packages[`${from}/node_modules/${name}`] && !packages[`node_modules/${name}`]) {
          missing.push(`${name}, wanted by ${from}`);
        }
      }
    }
    assert.deepEqual(missing, []);
  });
}
