import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MetricDefinition, Snapshot } from './definition.ts';
import { parseExposition } from './exposition.test.fixture.ts';
import { Registry } from './registry.ts';
import { merge, Rollup } from './rollup.ts';

const C: MetricDefinition = { name: 'c_total', kind: 'counter', help: 'C.', labels: ['x'], maxSeries: 4 };
const H: MetricDefinition = { name: 'h', kind: 'histogram', help: 'H.', labels: ['x'], bounds: [2, 4] };
const gauge = (rule: 'sum' | 'max' | 'min' | 'last'): MetricDefinition => {
  return { name: `g_${rule}`, kind: 'gauge', help: 'G.', labels: [], merge: rule };
};

function worker() {
  const registry = new Registry();
  const c = registry.counter(C);
  const h = registry.histogram(H);
  const gauges = (['sum', 'max', 'min', 'last'] as const).map((rule) => registry.gauge(gauge(rule)).with());
  return { registry, c, h, gauges };
}

function valuesOf(snapshot: Snapshot, name: string): number[] {
  return [...(snapshot.families.find((f) => f.name === name)?.values ?? [])];
}

/** Every sample by name and labels. */
function samples(rollup: Rollup, type: (t: string) => boolean): Map<string, number> {
  const out = new Map<string, number>();
  for (const family of parseExposition(rollup.render(), false).values()) {
    if (!type(family.type)) continue;
    for (const s of family.samples) out.set(`${s.name}${JSON.stringify(s.labels)}`, s.value);
  }
  return out;
}

test('gauges follow their rules', () => {
  const snapshots = [3, -1, 2].map((value) => {
    const { registry, gauges } = worker();
    for (const g of gauges) g.set(value);
    return registry.snapshot();
  });
  const merged = merge(snapshots);
  assert.deepEqual(
    ['g_sum', 'g_max', 'g_min', 'g_last'].map((name) => valuesOf(merged, name)[0]),
    [4, 3, -1, 2],
  );
});

const operation = fc.record({
  worker: fc.nat(3),
  kind: fc.constantFrom('inc' as const, 'observe' as const),
  label: fc.constantFrom('a', 'b', 'c'),
  n: fc.integer({ min: 0, max: 9 }),
});

test('the merge of the parts is the whole', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const whole = worker();
      const parts = [worker(), worker(), worker(), worker()];
      for (const { worker: at, kind, label, n } of operations) {
        for (const w of [whole, parts[at]!]) kind === 'inc' ? w.c.with(label).inc(n) : w.h.with(label).observe(n);
      }
      const table = (snapshot: Snapshot) =>
        snapshot.families
          .filter((f) => f.kind !== 'gauge')
          .flatMap((f) => {
            const stride = f.values.length / Math.max(1, f.series.length);
            return f.series.map((s, i) => JSON.stringify([f.name, s, f.values.slice(i * stride, (i + 1) * stride)]));
          })
          .sort();
      const merged = merge(parts.map((p) => p.registry.snapshot()));
      assert.deepEqual(table(merged), table(whole.registry.snapshot()));
      // And merging in two steps is merging in one.
      const [a, b, c, d] = parts.map((p) => p.registry.snapshot()) as [Snapshot, Snapshot, Snapshot, Snapshot];
      assert.deepEqual(table(merge([merge([a, b]), merge([c, d])])), table(merged));
    }),
  );
});

test('nothing shown ever falls: workers count, die, come back under their old id, labels overflow', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(fc.constant('count' as const), fc.nat(2), fc.nat(9), fc.integer({ min: 1, max: 9 })),
    },
    fc.tuple(
      fc.constantFrom('retire' as const, 'restart' as const, 'update' as const),
      fc.nat(2),
      fc.nat(9),
      fc.nat(9),
    ),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rollup = new Rollup();
      let workers = [worker(), worker(), worker()];
      let before = new Map<string, number>();
      for (const [what, at, label, n] of steps) {
        const w = workers[at]!;
        if (what === 'count') {
          w.c.with(`${label}`).inc(n);
          w.h.with('x').observe(n);
        }
        if (what === 'retire') rollup.retire(`${at}`);
        // The new process tells with its first sequence number that it is new, even when nobody said `retire`.
        if (what === 'retire' || what === 'restart') workers = workers.with(at, worker());
        rollup.update(`${at}`, workers[at]!.registry.snapshot());
        const now = samples(rollup, (type) => type !== 'gauge');
        for (const [key, value] of before) assert.ok((now.get(key) ?? -1) >= value, `${key} fell from ${value}`);
        before = now;
      }
    }),
    { numRuns: 60 },
  );
});

test('the dead keep their totals and lose their gauges', () => {
  const rollup = new Rollup();
  const [a, b] = [worker(), worker()];
  for (const w of [a, b]) {
    w.c.with('x').inc(5);
    w.gauges[0]!.set(1);
    rollup.update(w === a ? 'a' : 'b', w.registry.snapshot());
  }
  rollup.retire('a');
  rollup.retire('a');
  rollup.retire('unknown');
  assert.equal(samples(rollup, () => true).get('c_total{"x":"x"}'), 10);
  assert.equal(samples(rollup, () => true).get('g_sum{}'), 1);
});

test('what does not fit in the sum is shown under other and said', () => {
  const rollup = new Rollup();
  for (const id of ['a', 'b']) {
    const w = worker();
    for (let i = 0; i < 4; i++) w.c.with(`${id}${i}`).inc();
    rollup.update(id, w.registry.snapshot());
  }
  const shown = samples(rollup, () => true);
  assert.equal(shown.get('c_total{"x":"a0"}'), 1);
  assert.equal(shown.get('c_total{"x":"other"}'), 4);
  assert.equal(shown.get('gatehouse_metric_series_merged_into_other{}'), 4);
});

test('a metric whose shape differs is left out rather than added wrongly', () => {
  const rollup = new Rollup();
  const a = worker();
  a.h.with('x').observe(1);
  rollup.update('a', a.registry.snapshot());
  const other = new Registry();
  other
    .histogram({ ...H, bounds: [1, 2, 3] })
    .with('x')
    .observe(1);
  rollup.update('b', other.snapshot());
  assert.equal(samples(rollup, () => true).get('h_count{"x":"x"}'), 1);
});
