import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { parseExposition } from './exposition.test.fixture.ts';
import { Observer } from './observe.ts';
import { SupervisorMetrics } from './process.ts';
import { renderPrometheus } from './prometheus.ts';
import { Registry } from './registry.ts';
import { Rollup } from './rollup.ts';
import { sampleExchange } from './sample.test.fixture.ts';

/** What a supervisor with two busy workers shows, everything in it. */
function everything(openMetrics: boolean): string {
  const rollup = new Rollup();
  const clock = new ManualClock();
  for (const worker of ['0', '1']) {
    const events = new Events();
    const observer = new Observer({
      events,
      clock,
      worker,
      version: '0.1.0',
      node: 'v20.20.2',
      accessLog: { write: () => true },
      readProcess: () => ({
        cpuUserSeconds: 1.5,
        cpuSystemSeconds: 0.5,
        residentBytes: 1e8,
        heapUsedBytes: 2e7,
        loopLagMaxSeconds: 0.002,
        loopBusyRatio: 0.25,
      }),
    });
    observer.metrics.setEndpoints([{ upstream: 'deepseek', endpoint: '10.0.0.1:8000' }]);
    events.emit('connectionOpened', 'public');
    for (const outcome of ['completed', 'client_aborted'] as const) {
      const x = sampleExchange({ exchange: { outcome } });
      events.emit('requestStarted', x);
      events.emit('requestEnded', x);
    }
    events.emit('fault', { kind: 'bare_lf', where: 'public' });
    events.emit('endpointChanged', { upstream: 'deepseek', endpoint: '10.0.0.1:8000', healthy: false, reason: '' });
    events.emit('notice', { level: 'warn', message: 'careful' });
    clock.advance(1000);
    rollup.update(worker, observer.snapshot());
  }
  const registry = new Registry();
  const supervisor = new SupervisorMetrics(registry, clock);
  supervisor.workers(0, 2, 0);
  supervisor.workerExited('SIGKILL');
  supervisor.reloaded(true);
  rollup.update('supervisor', registry.snapshot());
  return rollup.render(openMetrics);
}

for (const openMetrics of [false, true]) {
  test(`${openMetrics ? 'OpenMetrics' : 'Prometheus text'} keeps the rules of its format`, () => {
    const families = parseExposition(everything(openMetrics), openMetrics);
    const requests = families.get(openMetrics ? 'gatehouse_requests' : 'gatehouse_requests_total');
    const done = requests?.samples.find((s) => s.labels.outcome === 'completed');
    assert.deepEqual(done, {
      name: 'gatehouse_requests_total',
      labels: {
        route: 'inference',
        model: 'deepseek-chat',
        version: 'stable',
        upstream: 'deepseek',
        status: '200',
        outcome: 'completed',
      },
      value: 2,
    });
    assert.equal(families.get('gatehouse_request_duration_seconds')?.unit, openMetrics ? 'seconds' : undefined);
  });
}

test('promtool finds nothing wrong', (t) => {
  const check = spawnSync('promtool', ['check', 'metrics'], { input: everything(false), encoding: 'utf8' });
  if (check.error) return t.skip('promtool is not installed (Debian package prometheus)');
  assert.equal(check.stdout + check.stderr, '');
  assert.equal(check.status, 0);
});

test('label values and help come back as they were', () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', ',', '}') }),
  );
  fc.assert(
    fc.property(value, value, fc.boolean(), (label, help, openMetrics) => {
      const registry = new Registry();
      const flat = help.replace(/\r|\n/g, '\n');
      registry
        .gauge({ name: 'g', kind: 'gauge', help: flat, labels: ['x', 'y'] })
        .with(label, 'end')
        .set(1);
      const family = parseExposition(renderPrometheus(registry.snapshot(), openMetrics), openMetrics).get('g');
      assert.deepEqual(family?.samples[0]?.labels, { x: label, y: 'end' });
      assert.equal(family?.help, flat);
    }),
  );
});

test('numbers are written as the format wants them', () => {
  const registry = new Registry();
  const histogram = registry
    .histogram({ name: 'h', kind: 'histogram', help: 'H.', labels: [], bounds: [0.5, 1] })
    .with();
  histogram.observe(0.25);
  histogram.observe(1e22);
  const text = renderPrometheus(registry.snapshot());
  assert.match(
    text,
    /^h_bucket\{le="0.5"\} 1\nh_bucket\{le="1"\} 1\nh_bucket\{le="\+Inf"\} 2\nh_sum 1e\+22\nh_count 2$/m,
  );
  assert.match(renderPrometheus(registry.snapshot(), true), /le="1\.0"/);
});

test('a lone surrogate becomes the replacement character', () => {
  const registry = new Registry();
  registry
    .gauge({ name: 'g', kind: 'gauge', help: 'G.', labels: ['x'] })
    .with('a\ud800')
    .set(1);
  assert.match(renderPrometheus(registry.snapshot()), /g\{x="a\ufffd"\} 1/);
});
