import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerBody, EVENT, requestBody } from './body.ts';

test('bodies are JSON of exactly the length asked for', () => {
  for (const bytes of [350, 900, 1_048_576]) {
    for (const body of [requestBody(bytes), requestBody(bytes, true), answerBody(bytes)]) {
      assert.equal(Buffer.byteLength(body), bytes);
      assert.equal((JSON.parse(body) as { model: string }).model, 'bench-model');
    }
  }
  assert.throws(() => requestBody(10), /too small/);
});

test('an event is one, and JSON', () => {
  assert.match(EVENT, /^data: [^\n]+\n\n$/);
  assert.ok(JSON.parse(EVENT.slice(6)));
});
