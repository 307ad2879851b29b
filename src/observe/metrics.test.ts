import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatehouseError } from '../kernel/error.ts';
import { Events } from '../kernel/event.ts';
import { Metrics } from './metrics.ts';
import { Registry } from './registry.ts';
import { type Sample, sampleExchange } from './sample.test.fixture.ts';

function setUp() {
  const registry = new Registry();
  const metrics = new Metrics(registry);
  /** Series of one metric as `label,label value`; histograms give count and sum. */
  const shown = (name: string): string[] => {
    const family = registry.snapshot().families.find((f) => f.name === `gatehouse_${name}`);
    assert.ok(family, name);
    const stride = family.values.length / Math.max(1, family.series.length);
    return family.series.map((labels, i) => {
      const values = family.values.slice(i * stride, (i + 1) * stride);
      const sum = values.pop() as number;
      const count = values.reduce((a, b) => a + b, 0);
      return `${labels.join(',')} ${stride === 1 ? sum : `${count}×${Number(sum.toFixed(6))}`}`;
    });
  };
  return { metrics, shown };
}

const PATH = 'inference,deepseek-chat,stable,deepseek';

test('a completed stream counts everywhere it should', () => {
  const { metrics, shown } = setUp();
  const x = sampleExchange({ exchange: { tries: 3 } });
  metrics.requestStarted(x);
  assert.deepEqual(shown('requests_in_flight'), ['public 1']);
  metrics.requestEnded(x);
  const expected: [string, string[]][] = [
    ['requests_in_flight', ['public 0']],
    ['requests_total', [`${PATH},200,completed 1`]],
    ['request_duration_seconds', [`${PATH} 1×1.5`]],
    ['time_to_first_byte_seconds', [`${PATH} 1×0.2`]],
    ['time_to_first_token_seconds', [`${PATH} 1×0.5`]],
    ['time_per_output_token_seconds', [`${PATH} 1×0.02`]],
    ['tokens_total', [`${PATH},input 100`, `${PATH},output 51`, `${PATH},cached_input 20`, `${PATH},reasoning 5`]],
    ['request_body_bytes_total', [`${PATH} 900`]],
    ['response_body_bytes_total', [`${PATH} 4096`]],
    ['upstream_tries_total', ['deepseek 3']],
    ['upstream_retries_total', ['deepseek 2']],
    ['wasted_tokens_total', []],
    ['errors_total', []],
    ['denied_total', []],
  ];
  for (const [name, series] of expected) assert.deepEqual(shown(name), series, name);
});

test('what never happened is not observed', () => {
  const { metrics, shown } = setUp();
  metrics.requestEnded(
    sampleExchange({ exchange: { firstByteAt: 0, firstTokenAt: 0, forwardedAt: 0, usage: undefined, tries: 0 } }),
  );
  for (const name of [
    'time_to_first_byte_seconds',
    'time_to_first_token_seconds',
    'tokens_total',
    'upstream_tries_total',
  ]) {
    assert.deepEqual(shown(name), [], name);
  }
});

test('tokens of answers that never arrived are wasted', () => {
  const { metrics, shown } = setUp();
  for (const outcome of ['client_aborted', 'upstream_aborted', 'completed', 'failed'] as const) {
    metrics.requestEnded(sampleExchange({ exchange: { outcome } }));
  }
  assert.deepEqual(shown('wasted_tokens_total'), [`${PATH},client_aborted 51`, `${PATH},upstream_aborted 51`]);
  assert.deepEqual(shown('time_per_output_token_seconds'), [`${PATH} 1×0.02`]);
});

test('refusals count by code and rule, failures only by code', () => {
  const { metrics, shown } = setUp();
  const denied = new GatehouseError('rate_limited', 'Slow down.', { rule: 'per-key' });
  const failed = new GatehouseError('upstream_refused', 'Nobody there.');
  const end = (sample: Sample['exchange']) => metrics.requestEnded(sampleExchange({ exchange: sample ?? {} }));
  end({ outcome: 'denied', status: 429, error: denied });
  end({ outcome: 'denied', status: 429, error: denied });
  end({ outcome: 'failed', status: 502, error: failed });
  assert.deepEqual(shown('errors_total'), ['rate_limited,inference 2', 'upstream_refused,inference 1']);
  assert.deepEqual(shown('denied_total'), ['rate_limited,per-key 2']);
});

test('model names that clients make up cannot fill the registry', () => {
  const { metrics, shown } = setUp();
  metrics.setModels(['configured']);
  for (let i = 0; i < 1000; i++) {
    metrics.requestEnded(sampleExchange({ exchange: { model: `made-up-${i}`, version: '' } }));
    metrics.requestEnded(sampleExchange({ exchange: { model: `unknown-${i}`, version: '', upstream: '' } }));
  }
  metrics.requestEnded(sampleExchange({ exchange: { model: 'x'.repeat(500), version: '' } }));
  metrics.requestEnded(sampleExchange({ exchange: { model: 'configured', version: '', upstream: '' } }));
  const requests = shown('requests_total');
  assert.equal(requests.length, 100 + 1 + 1 + 1);
  assert.ok(requests.includes('inference,other,,deepseek,200,completed 901'));
  assert.ok(requests.includes('inference,,,,200,completed 1000'));
  assert.ok(requests.includes('inference,configured,,,200,completed 1'));
});

test('alternating paths, statuses and outcomes are kept apart', () => {
  const { metrics, shown } = setUp();
  for (let round = 0; round < 3; round++) {
    for (const route of ['a', 'b']) {
      for (const status of [200, 500]) {
        for (const outcome of ['completed', 'upstream_aborted'] as const) {
          metrics.requestEnded(sampleExchange({ exchange: { route, status, outcome } }));
        }
      }
    }
  }
  assert.equal(shown('requests_total').length, 8);
  for (const line of shown('requests_total')) assert.match(line, / 3$/);
});

test('more paths than the table holds lose nothing', () => {
  const { metrics, shown } = setUp();
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 4100; i++) metrics.requestEnded(sampleExchange({ exchange: { route: `r${i}` } }));
  }
  const total = shown('requests_total').reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
  assert.equal(total, 8200);
});

test('connections, faults, endpoints and notices arrive by event until unsubscribed', () => {
  const { metrics, shown } = setUp();
  const events = new Events();
  const stop = metrics.subscribe(events);
  const emitAll = () => {
    events.emit('connectionOpened', 'public');
    events.emit('connectionOpened', 'public');
    events.emit('connectionClosed', 'public');
    events.emit('fault', { kind: 'bare_lf', where: 'public' });
    events.emit('fault', { kind: 'bare_lf', where: 'public' });
    events.emit('endpointChanged', { upstream: 'u', endpoint: 'e', healthy: false, reason: 'refused' });
    events.emit('notice', { level: 'warn', message: 'm' });
  };
  emitAll();
  stop();
  emitAll();
  const expected: [string, string[]][] = [
    ['connections_total', ['public 2']],
    ['connections_open', ['public 1']],
    ['faults_total', ['bare_lf,public 2']],
    ['upstream_endpoint_up', ['u,e 0']],
    ['upstream_endpoint_transitions_total', ['u,e,down 1']],
    ['notices_total', ['warn 1']],
  ];
  for (const [name, series] of expected) assert.deepEqual(shown(name), series, name);
});

test('endpoints show as up from the start, keep their state over a reload, and go with the configuration', () => {
  const { metrics, shown } = setUp();
  const [a, b, c] = ['a', 'b', 'c'].map((endpoint) => ({ upstream: 'u', endpoint }));
  metrics.setEndpoints([a!, b!]);
  metrics.endpointChanged({ ...a!, healthy: false, reason: 'probe' });
  metrics.setEndpoints([a!, c!]);
  assert.deepEqual(shown('upstream_endpoint_up'), ['u,a 0', 'u,c 1']);
});
