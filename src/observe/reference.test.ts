import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROCESS_METRICS, SUPERVISOR_METRICS, WORKER_METRICS } from './catalog.ts';
import { accessLogReference, metricsReference } from './reference.ts';

function root(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

for (const [page, made] of [
  ['metrics.md', metricsReference],
  ['access-log.md', accessLogReference],
] as const) {
  test(`docs/reference/${page} is up to date`, () => {
    assert.equal(readFileSync(join(root(), 'docs', 'reference', page), 'utf8'), made(), 'run npm run generate');
  });
}

test('every metric keeps the naming rules', () => {
  const all = [WORKER_METRICS, PROCESS_METRICS, SUPERVISOR_METRICS].flatMap((group) => Object.values(group));
  assert.equal(new Set(all.map((d) => d.name)).size, all.length);
  for (const d of all) {
    assert.match(d.name, /^(gatehouse|process|nodejs)_[a-z0-9_]+$/);
    assert.equal(d.kind === 'counter', d.name.endsWith('_total'), d.name);
    if (d.unit) assert.ok(d.name.replace(/_total$/, '').endsWith(`_${d.unit}`), d.name);
    assert.equal(d.kind === 'histogram', d.bounds !== undefined, d.name);
    assert.deepEqual(d.bounds, d.bounds && [...d.bounds].sort((a, b) => a - b), d.name);
    assert.match(d.help, /^[A-Z0-9].*\.$/, d.name);
    assert.ok(!d.labels.includes('le') && new Set(d.labels).size === d.labels.length, d.name);
  }
});
