import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerResult } from '../measure/figures.ts';
import { compare, merge, notCompared, toBaseline } from './baseline.ts';
import type { ScenarioResult } from './table.ts';

const reference: PeerResult = {
  ...{ peer: 'haproxy', version: '1', errors: {} },
  figures: { cpu: { value: 20, spread: 0.02, ratio: 1 }, p50: { value: 60, spread: 0.1, ratio: 1 } },
};

function results(cpu: number, more: Partial<PeerResult> = {}, p50 = 1): ScenarioResult[] {
  const figures = {
    cpu: { value: 20 * cpu, spread: 0.02, ratio: cpu },
    p50: { value: 60 * p50, spread: 0.1, ratio: p50 },
    rate: { value: 1000, spread: 0.1, ratio: 1 },
  };
  const gatehouse: PeerResult = { peer: 'gatehouse-node20', version: '1', errors: {}, figures, ...more };
  return [{ scenario: 'relay', title: '', unit: 'request', peers: [reference, gatehouse] }];
}

test('ratios are kept of what is compared, not of rates, not of runs with errors', () => {
  const { ratios } = toBaseline(results(1.2), 'here');
  assert.deepEqual(ratios, {
    relay: {
      'gatehouse-node20': {
        cpu: { ratio: 1.2, spread: 0.02, reference: 20 },
        p50: { ratio: 1, spread: 0.1, reference: 60 },
      },
    },
  });
  assert.deepEqual(toBaseline(results(1.2, { errors: { reset: 1 } }), 'here').ratios, {});
});

test('what moves beyond the band is dearer or cheaper', () => {
  const baseline = toBaseline(results(1.2), 'here');
  for (const [now, expected] of [
    [1.2, []],
    [1.31, []],
    [1.33, ['dearer']],
    [1.09, []],
    [1.07, ['cheaper']],
  ] as const) {
    assert.deepEqual(
      compare(results(now), baseline).map(({ kind }) => kind),
      expected,
      `${now}`,
    );
  }
});

test('a band is as wide as the rounds of either run were apart', () => {
  const noisy = results(1.2);
  noisy[0]!.peers[1]!.figures.cpu!.spread = 0.4;
  assert.deepEqual(compare(results(1.6), toBaseline(noisy, 'here')), []);
  assert.equal(compare(results(1.8), toBaseline(noisy, 'here')).length, 1);
});

test('a difference below the floor of the measure is no difference', () => {
  // Added latency: 60 µs at the reference, so 1.7× is 42 µs more, below the floor of 50 µs; 2× is 60 µs.
  const baseline = toBaseline(results(1), 'here');
  assert.deepEqual(compare(results(1, {}, 1.7), baseline), []);
  assert.deepEqual(
    compare(results(1, {}, 2), baseline).map(({ measure }) => measure),
    ['p50'],
  );
});

test('only our own can get dearer', () => {
  const baseline = toBaseline(results(1, { peer: 'nginx' }), 'here');
  assert.deepEqual(compare(results(3, { peer: 'nginx' }), baseline), []);
});

test('what has no counterpart is said', () => {
  const baseline = toBaseline(results(1), 'here');
  assert.deepEqual(notCompared(results(1), baseline), []);
  assert.deepEqual(notCompared(results(1, { peer: 'gatehouse-node24' }), baseline), ['relay/gatehouse-node24']);
  assert.deepEqual(notCompared(results(1, { figures: {} }), baseline), ['relay/gatehouse-node20']);
  assert.deepEqual(notCompared(results(1, { skipped: 'not here' }), baseline), []);
});

test('saving one scenario keeps the others', () => {
  const older = { version: 1 as const, about: 'then', ratios: { tls: {}, relay: { 'gatehouse-node24': {} } } };
  const merged = merge(older, toBaseline(results(1), 'now'));
  assert.equal(merged.about, 'now');
  assert.deepEqual(Object.keys(merged.ratios).sort(), ['relay', 'tls']);
  assert.deepEqual(Object.keys(merged.ratios.relay ?? {}).sort(), ['gatehouse-node20', 'gatehouse-node24']);
});

test('where more is better, less is dearer: one request in a thousand lost is said, one in ten thousand is noise', () => {
  const trial = (share: number): ScenarioResult[] => {
    const peer = (name: string, value: number): PeerResult => ({
      ...{ peer: name, version: '1', errors: {} },
      figures: { share: { value, spread: 0, ratio: value / 100 } },
    });
    return [
      { scenario: 'reload', title: '', unit: 'kill', peers: [peer('haproxy', 100), peer('gatehouse-node20', share)] },
    ];
  };
  const baseline = toBaseline(trial(100), 'here');
  assert.deepEqual(compare(trial(99.99), baseline), []);
  assert.deepEqual(
    compare(trial(99.9), baseline).map(({ kind }) => kind),
    ['dearer'],
  );
  assert.deepEqual(
    compare(trial(100), toBaseline(trial(99.9), 'here')).map(({ kind }) => kind),
    ['cheaper'],
  );
});
