import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefersOpenMetrics } from './accept.ts';

test('which format a scraper gets', () => {
  const cases: [string | undefined, boolean][] = [
    [undefined, false],
    ['', false],
    ['*/*', false],
    ['text/html,application/xhtml+xml,*/*;q=0.8', false],
    // Prometheus 2.42 and 3.0.
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      true,
    ],
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      true,
    ],
    ['text/plain;version=0.0.4;q=0.6, application/openmetrics-text;version=1.0.0;q=0.5', false],
    ['application/openmetrics-text; version="1.0.0"', true],
    ['application/openmetrics-text', true],
    ['application/openmetrics-text;version=0.0.1', false],
    ['application/openmetrics-text;version=2.0.0, text/plain;q=0.1', false],
    ['application/openmetrics-text;q=0, text/plain;q=0.1', false],
    ['application/openmetrics-text;q=nonsense', false],
  ];
  for (const [accept, expected] of cases) assert.equal(prefersOpenMetrics(accept), expected, accept);
});
