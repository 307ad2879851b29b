import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileFields, leavesOut } from './rewrite.ts';

test('a field that the route sets leaves no twin with underscores beside it', () => {
  const changes = compileFields({ set: { 'X-User-Id': 'gate' }, add: {}, remove: ['x-old'] });
  assert.ok(changes);
  for (const name of ['x-user-id', 'x_user_id', 'x-user_id', 'x-old', 'x_old'])
    assert.ok(leavesOut(changes, name), name);
  for (const name of ['x-user', 'session_id']) assert.ok(!leavesOut(changes, name), name);
});
