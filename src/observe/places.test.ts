import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlaceMetrics } from './places.ts';
import { renderPrometheus } from './prometheus.ts';
import { Registry } from './registry.ts';

const lines = (registry: Registry) =>
  renderPrometheus(registry.snapshot())
    .split('\n')
    .filter((line) => line.startsWith('gatehouse_queue_'));

test('a newcomer stands behind those who are as important; what is not there any more is not shown', () => {
  const registry = new Registry();
  const metrics = new PlaceMetrics(registry);
  const classes = [
    { priority: 95, waiting: 1 },
    { priority: 50, waiting: 3 },
    { priority: 10, waiting: 4 },
  ];
  metrics.read([{ upstream: 'gpu', waiting: 8, estimatedWaitMs: 4000, classes, endpoints: [] }]);
  assert.deepEqual(lines(registry), [
    'gatehouse_queue_position{upstream="gpu",class="realtime"} 2',
    'gatehouse_queue_position{upstream="gpu",class="batch"} 5',
    'gatehouse_queue_position{upstream="gpu",class="test"} 9',
    'gatehouse_queue_estimated_wait_seconds{upstream="gpu",class="realtime"} 1',
    'gatehouse_queue_estimated_wait_seconds{upstream="gpu",class="batch"} 2.5',
    'gatehouse_queue_estimated_wait_seconds{upstream="gpu",class="test"} 4.5',
  ]);
  metrics.read([{ upstream: 'gpu', waiting: 0, estimatedWaitMs: 0, classes: [], endpoints: [] }]);
  assert.ok(lines(registry).includes('gatehouse_queue_position{upstream="gpu",class="test"} 1'));
  assert.ok(lines(registry).includes('gatehouse_queue_estimated_wait_seconds{upstream="gpu",class="test"} 0'));
  metrics.read([]);
  assert.deepEqual(lines(registry), []);
});
