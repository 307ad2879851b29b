import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { memoryReader, ProcessMetrics, processReader, SupervisorMetrics } from './process.ts';
import { renderPrometheus } from './prometheus.ts';
import { Registry } from './registry.ts';

const readings = {
  cpuUserSeconds: 2,
  cpuSystemSeconds: 1,
  residentBytes: 5e7,
  heapUsedBytes: 1e7,
  loopLagMaxSeconds: 0.25,
  loopBusyRatio: 0.5,
};

test('CPU totals are taken over, not added up; the rest is the newest reading', () => {
  const registry = new Registry();
  const metrics = new ProcessMetrics(registry, new ManualClock(1_750_000_000_500), '3', '0.1.0', 'v20.20.2');
  metrics.sampleProcess(readings);
  metrics.sampleProcess({ ...readings, cpuUserSeconds: 2.5, residentBytes: 6e7 });
  const text = renderPrometheus(registry.snapshot());
  for (const line of [
    'gatehouse_build_info{version="0.1.0",node="v20.20.2"} 1',
    'process_start_time_seconds{worker="3"} 1750000000.5',
    'process_cpu_seconds_total{worker="3",mode="user"} 2.5',
    'process_cpu_seconds_total{worker="3",mode="system"} 1',
    'process_resident_memory_bytes{worker="3"} 60000000',
    'nodejs_eventloop_lag_max_seconds{worker="3"} 0.25',
    'nodejs_eventloop_utilization_ratio{worker="3"} 0.5',
  ]) {
    assert.ok(text.includes(`${line}\n`), line);
  }
});

test('the real process reads plausibly', () => {
  const read = processReader();
  read();
  const { cpuUserSeconds, residentBytes, heapUsedBytes, loopLagMaxSeconds, loopBusyRatio } = read();
  assert.ok(cpuUserSeconds > 0 && residentBytes > heapUsedBytes && heapUsedBytes > 0);
  assert.ok(loopLagMaxSeconds >= 0 && loopBusyRatio >= 0 && loopBusyRatio <= 1);
});

test('memory that cannot be read, for want of a file descriptor, stands as it was read before', () => {
  let readings = 0;
  const read = memoryReader(() => {
    if (++readings === 2) throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    return { rss: readings, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 };
  });
  assert.deepEqual(
    [read(), read()].map(({ rss }) => rss),
    [1, 3],
  );
});

test('the supervisor shows workers, exits and reloads', () => {
  const registry = new Registry();
  const clock = new ManualClock(1_750_000_000_000);
  const metrics = new SupervisorMetrics(registry, clock);
  metrics.workers(1, 2, 3);
  metrics.workerExited('code_1');
  metrics.reloaded(true);
  clock.advance(5000);
  metrics.reloaded(false);
  const text = renderPrometheus(registry.snapshot());
  for (const line of [
    'gatehouse_workers{state="starting"} 1',
    'gatehouse_workers{state="draining"} 3',
    'gatehouse_worker_exits_total{reason="code_1"} 1',
    'gatehouse_config_reloads_total{result="applied"} 1',
    'gatehouse_config_reloads_total{result="rejected"} 1',
    'gatehouse_config_applied_timestamp_seconds 1750000000',
  ]) {
    assert.ok(text.includes(`${line}\n`), line);
  }
});
