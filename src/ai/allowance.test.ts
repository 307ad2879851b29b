import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowanceLines } from './ai.ts';

const none = { requests: undefined, tokens: undefined, inputTokens: undefined, outputTokens: undefined };

test('what is left is told in the names of the protocol', () => {
  const requests = { limit: 100, remaining: 7, resetMs: 12 };
  const tokens = { limit: 5000, remaining: 0, resetMs: 360_000 };
  assert.deepEqual(
    allowanceLines('openai', { ...none, requests, tokens }, 0)
      .split('\r\n')
      .filter(Boolean),
    [
      'x-ratelimit-limit-requests: 100',
      'x-ratelimit-remaining-requests: 7',
      'x-ratelimit-reset-requests: 12ms',
      'x-ratelimit-limit-tokens: 5000',
      'x-ratelimit-remaining-tokens: 0',
      'x-ratelimit-reset-tokens: 6m0s',
    ],
  );
  assert.deepEqual(
    allowanceLines('anthropic', { ...none, requests }, 1_750_000_000_000)
      .split('\r\n')
      .filter(Boolean),
    [
      'anthropic-ratelimit-requests-limit: 100',
      'anthropic-ratelimit-requests-remaining: 7',
      'anthropic-ratelimit-requests-reset: 2025-06-15T15:06:41Z',
    ],
  );
  assert.equal(allowanceLines('http', none, 0), '');
});
