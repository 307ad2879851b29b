import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEASURES } from '../measure/figures.ts';
import { renderFigure, renderScenario } from './table.ts';

const measure = (key: string) => MEASURES.find((candidate) => candidate.key === key)!;

test('figures', () => {
  for (const [key, figure, expected] of [
    ['cpu', { value: 24.34, spread: 0.041, ratio: 1.119 }, '24.3 µs ±4% (1.12×)'],
    ['cpu', { value: 1930.4, spread: 0 }, '1,930 µs'],
    ['rate', { value: 48_713.4, spread: 0.1, ratio: 2 }, '48,713/s'],
    ['busy', { value: 91.6, spread: 0.1, ratio: 2 }, '92%'],
    ['perStream', undefined, '-'],
    ['sent', { value: 30_000, spread: 0 }, '30,000'],
    ['lost', { value: 1 / 3, spread: 0 }, '0.3'],
    ['share', { value: 99.9967, spread: 0, ratio: 1 }, '99.997%'],
    ['answer99', { value: 12.34, spread: 0.1, ratio: 0.5 }, '12.3 ms ±10% (0.50×)'],
  ] as const) {
    assert.equal(renderFigure(measure(key), figure), expected);
  }
  assert.equal(renderFigure(measure('cpu'), { value: 20, spread: 0, ratio: 1 }, true), '20.0 µs');
});

test('errors and absences are said beneath the table', () => {
  const text = renderScenario({
    ...{ scenario: 'relay', title: 'small', unit: 'request' },
    peers: [
      { peer: 'haproxy', version: '2.6', figures: { cpu: { value: 20, spread: 0, ratio: 1 } }, errors: {} },
      {
        peer: 'nginx',
        version: '1.2',
        figures: { cpu: { value: 40, spread: 0, ratio: 2 } },
        errors: { 'status 502': 3 },
      },
      { peer: 'caddy', version: '', figures: {}, errors: {}, skipped: 'not here: apt-get install caddy' },
    ],
  });
  assert.deepEqual(text.split('\n'), [
    'relay: small',
    '  peer               CPU/request',
    '  haproxy 2.6            20.0 µs',
    '  nginx 1.2 (!)  40.0 µs (2.00×)',
    '  (!) nginx: ERRORS: 3 × status 502',
    '  caddy: left out, not here: apt-get install caddy',
    '',
  ]);
});
