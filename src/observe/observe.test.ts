import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { Observer, Overview } from './observe.ts';
import { sampleExchange } from './sample.test.fixture.ts';

const readings = {
  cpuUserSeconds: 1,
  cpuSystemSeconds: 1,
  residentBytes: 1,
  heapUsedBytes: 1,
  loopLagMaxSeconds: 0,
  loopBusyRatio: 0,
};

function setUp(withLog: boolean) {
  const events = new Events();
  const clock = new ManualClock();
  const chunks: string[] = [];
  const sink = { takes: true, write: (chunk: string) => chunks.push(chunk) > 0 && sink.takes };
  const observer = new Observer({
    events,
    clock,
    worker: '0',
    version: '0.1.0',
    node: 'v20.20.2',
    accessLog: withLog ? sink : undefined,
    readProcess: () => readings,
  });
  return { events, clock, chunks, sink, observer };
}

test('a request becomes one log line and its metrics reach the supervisor', () => {
  const { events, clock, chunks, observer } = setUp(true);
  const x = sampleExchange();
  events.emit('requestStarted', x);
  events.emit('requestEnded', x);
  clock.advance(200);
  assert.equal(JSON.parse(chunks.join('')).request_id, x.id);
  const overview = new Overview({ clock, version: '0.1.0', node: 'v20.20.2', readProcess: () => readings });
  overview.update('0', JSON.parse(JSON.stringify(observer.snapshot())));
  const text = overview.render(false);
  assert.match(text, /^gatehouse_requests_total\{route="inference",.*status="200",outcome="completed"\} 1$/m);
  assert.match(text, /^gatehouse_log_lines_total\{log="access"\} 1$/m);
  assert.match(text, /^process_cpu_seconds_total\{worker="0",mode="user"\} 1$/m);
});

test('the overview keeps the totals of workers that died, beside what the supervisor counts', () => {
  const { events, clock, observer } = setUp(false);
  const overview = new Overview({ clock, version: '0.1.0', node: 'v20.20.2', readProcess: () => readings });
  events.emit('requestStarted', sampleExchange());
  events.emit('requestEnded', sampleExchange());
  events.emit('requestStarted', sampleExchange());
  overview.update('0', observer.snapshot());
  overview.metrics.logDropped('access', 7);
  assert.match(overview.render(false), /^gatehouse_requests_in_flight\{listener="public"\} 1$/m);
  overview.retire('0');
  const text = overview.render(true);
  assert.match(text, /^gatehouse_requests_total\{.*\} 1$/m);
  assert.doesNotMatch(text, /gatehouse_requests_in_flight/);
  assert.match(text, /^gatehouse_log_lines_dropped_total\{log="access"\} 7$/m);
  assert.match(text, /^process_resident_memory_bytes\{worker="supervisor"\} 1$/m);
  assert.match(text, /^gatehouse_build_info\{version="0.1.0",node="v20.20.2"\} 1$/m);
});

test('a sink that is behind is spared until it has drained', () => {
  const { events, clock, chunks, sink, observer } = setUp(true);
  sink.takes = false;
  for (let i = 0; i < 3; i++) {
    events.emit('requestEnded', sampleExchange());
    clock.advance(200);
  }
  assert.equal(chunks.length, 1);
  sink.takes = true;
  observer.logDrained();
  assert.equal(chunks[1]?.split('\n').length, 3);
});

test('without an access log there are only metrics; after close nothing is counted', () => {
  const { events, clock, chunks, observer } = setUp(false);
  events.emit('requestEnded', sampleExchange());
  observer.close();
  events.emit('requestEnded', sampleExchange());
  clock.advance(1000);
  assert.deepEqual(chunks, []);
  const requests = observer.snapshot().families.find((f) => f.name === 'gatehouse_requests_total');
  assert.deepEqual(requests?.values, [1]);
});

test('the access log can be switched while counting goes on', () => {
  const { events, clock, chunks, sink, observer } = setUp(false);
  events.emit('requestEnded', sampleExchange());
  observer.setAccessLog(sink);
  events.emit('requestEnded', sampleExchange({ exchange: { id: 'logged' } }));
  observer.setAccessLog(undefined);
  events.emit('requestEnded', sampleExchange());
  clock.advance(1000);
  assert.deepEqual(
    chunks.map((chunk) => JSON.parse(chunk).request_id),
    ['logged'],
  );
  const requests = observer.snapshot().families.find((f) => f.name === 'gatehouse_requests_total');
  assert.deepEqual(requests?.values, [3]);
});

test('close hands on the lines that waited', () => {
  const { events, chunks, observer } = setUp(true);
  events.emit('requestEnded', sampleExchange());
  observer.close();
  assert.equal(chunks.length, 1);
});
