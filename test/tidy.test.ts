/** Holds the house in order: import directions, banned calls, cycles, doc comments, sizes (see test/tidy/). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REPOSITORY } from './root.ts';
import { showFinding, tidyTree } from './tidy/tree.ts';

test('the working tree is tidy', () => {
  const { files, findings } = tidyTree(REPOSITORY);
  assert.ok(files > 10, `only ${files} files found: is this the repository?`);
  assert.equal(findings.length, 0, `\n${findings.map(showFinding).join('\n')}\n`);
});
