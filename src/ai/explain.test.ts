import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorDetail, GatehouseError } from '../kernel/error.ts';
import { explain } from './explain.ts';

test('the message, the rule and when to try again are sentences of their own', () => {
  const cases: [message: string, detail: ErrorDetail, text: string][] = [
    ['no server is available', {}, 'no server is available'],
    ['no server is available', { retryAfterMs: 1000 }, 'no server is available. Try again in 1 s.'],
    ['Slow down.', { rule: 'r1', retryAfterMs: 1499.5 }, 'Slow down. Rule: r1. Try again in 2 s.'],
    ['Slow down.', { retryAfterMs: 12.3 }, 'Slow down. Try again in 13 ms.'],
    ['Slow down.', { retryAfterMs: 600_500 }, 'Slow down. Try again in 11 minutes.'],
    ['Slow down.', { retryAfterMs: 71_329_052 }, 'Slow down. Try again in 20 hours.'],
    ['too large', { rule: 'r1' }, 'too large. Rule: r1.'],
    ['rule r1 says no', { rule: 'r1' }, 'rule r1 says no'],
    ['Who are you?', { rule: 'x', quiet: true }, 'Who are you?'],
    ['Who are you?', { rule: 'x' }, 'Who are you? Rule: x.'],
  ];
  for (const [message, detail, text] of cases) {
    assert.equal(explain(new GatehouseError('overloaded', message, detail)), text);
  }
});
