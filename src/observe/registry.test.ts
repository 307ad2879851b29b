import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricDefinition } from './definition.ts';
import { Registry } from './registry.ts';

const COUNTER: MetricDefinition = { name: 'a_total', kind: 'counter', help: 'A.', labels: ['x', 'y'], maxSeries: 3 };
const GAUGE: MetricDefinition = { name: 'b', kind: 'gauge', help: 'B.', labels: ['x'] };
const HISTOGRAM: MetricDefinition = { name: 'c', kind: 'histogram', help: 'C.', labels: [], bounds: [1, 5] };

function find(registry: Registry, name: string) {
  const family = registry.snapshot().families.find((f) => f.name === name);
  assert.ok(family);
  return family;
}

test('a counter adds what is positive and finite, and nothing else', () => {
  const registry = new Registry();
  const counter = registry.counter(COUNTER).with('1', '2');
  for (const n of [1, 2.5, -1, 0, Number.NaN, Number.POSITIVE_INFINITY]) counter.inc(n);
  assert.deepEqual(find(registry, 'a_total').values, [3.5]);
});

test('a gauge sets, adds and ignores what is not finite', () => {
  const registry = new Registry();
  const gauge = registry.gauge(GAUGE).with('q');
  gauge.set(4);
  gauge.add(-6);
  gauge.set(Number.NaN);
  gauge.add(Number.POSITIVE_INFINITY);
  assert.deepEqual(find(registry, 'b').values, [-2]);
});

test('a histogram counts a value in the first bucket that holds it, bounds included', () => {
  const registry = new Registry();
  const histogram = registry.histogram(HISTOGRAM).with();
  for (const v of [0, 1, 1.5, 5, 6, -1, Number.NaN, Number.POSITIVE_INFINITY]) histogram.observe(v);
  assert.deepEqual(find(registry, 'c').values, [2, 2, 1, 13.5]);
});

test('the same labels give the same handle; similar ones do not', () => {
  const family = new Registry().counter(COUNTER);
  assert.equal(family.with('1', '2'), family.with('1', '2'));
  assert.notEqual(family.with('1,', '2'), family.with('1', ',2'));
});

test('a full metric folds into other and counts it', () => {
  const registry = new Registry();
  const family = registry.counter(COUNTER);
  for (let i = 0; i < 10; i++) family.with(`${i}`, '').inc();
  assert.deepEqual(find(registry, 'a_total').series, [
    ['0', ''],
    ['1', ''],
    ['2', ''],
    ['other', 'other'],
  ]);
  assert.deepEqual(find(registry, 'a_total').values, [1, 1, 1, 7]);
  const folded = find(registry, 'gatehouse_metric_series_folded_total');
  assert.deepEqual([folded.series, folded.values], [[['a_total']], [7]]);
});

test('handles survive growth of the storage', () => {
  const registry = new Registry();
  const family = registry.gauge(GAUGE);
  const handles = Array.from({ length: 500 }, (_, i) => family.with(`${i}`));
  handles.forEach((handle, i) => {
    handle.set(i);
  });
  assert.deepEqual(
    find(registry, 'b').values,
    handles.map((_, i) => i),
  );
});

test('a removed series is gone, its handle writes nowhere, and its place is used again at zero', () => {
  const registry = new Registry();
  const family = registry.gauge(GAUGE);
  const old = family.with('old');
  old.set(7);
  family.remove('old');
  family.remove('never was');
  const fresh = family.with('fresh');
  old.set(9);
  assert.deepEqual([find(registry, 'b').series, find(registry, 'b').values], [[['fresh']], [0]]);
  fresh.set(1);
  assert.deepEqual(find(registry, 'b').values, [1]);
});

test('a metric without labels shows 0 from the start', () => {
  const registry = new Registry();
  registry.histogram(HISTOGRAM);
  assert.deepEqual(find(registry, 'c').values, [0, 0, 0, 0]);
});

test('mistakes in code are told at once', () => {
  const registry = new Registry();
  const family = registry.counter(COUNTER);
  assert.throws(() => family.with('1'), /a_total has 2 labels, 1 values were given/);
  assert.throws(() => registry.counter(COUNTER), /registered twice/);
  assert.throws(() => registry.counter(GAUGE), /is a gauge, not a counter/);
});

test('a snapshot survives JSON and structured clone unchanged, and numbers itself', () => {
  const registry = new Registry();
  registry.counter(COUNTER).with('"', '\n').inc(0.1);
  registry.histogram(HISTOGRAM).with().observe(3);
  const snapshot = registry.snapshot();
  assert.deepEqual(JSON.parse(JSON.stringify(snapshot)), snapshot);
  assert.deepEqual(structuredClone(snapshot), snapshot);
  assert.equal(registry.snapshot().sequence, snapshot.sequence + 1);
});
