import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, GatehouseError } from '../kernel/error.ts';
import type { InboundSink } from '../kernel/exchange.ts';
import { makeWorker } from './pipeline.fixture.ts';

/** A chat request whose body is told by the test. */
function hold(tell: (sink: InboundSink) => void) {
  const { worker, ended, come } = makeWorker();
  const { exchange, client } = come('POST /v1/chat/completions', ['Transfer-Encoding: chunked'], undefined, {
    start: tell,
  });
  worker.onRequest(exchange);
  return { exchange, client, ended };
}

const say = (sink: InboundSink, text: string) => {
  const buffer = Buffer.from(`..${text}..`);
  sink.onRequestData(buffer, 2, buffer.length - 2);
  buffer.fill(0);
};

test('the pieces are copied and joined', () => {
  const { exchange } = hold((sink) => {
    for (const piece of ['{"mo', 'del":"', 'm"}']) say(sink, piece);
    sink.onRequestEnd('');
  });
  assert.equal(exchange.model, 'm');
  assert.equal(exchange.outcome, 'open');
});

test('no body at all is answered as one without a model', () => {
  const { client, exchange } = hold((sink) => sink.onRequestEnd(''));
  assert.equal(client.answered?.status, 400);
  assert.equal(exchange.error?.code, 'invalid_body');
});

const endings: [code: ErrorCode, outcome: string, status: number | undefined, aborted: boolean][] = [
  ['client_closed', 'client_aborted', undefined, true],
  ['body_too_large', 'denied', 413, false],
  ['request_timeout', 'denied', 408, false],
  ['bad_request', 'denied', 400, false],
];
for (const [code, outcome, status, aborted] of endings) {
  test(`a body that ends by ${code}`, () => {
    const { exchange, client, ended } = hold((sink) => {
      say(sink, '{"model":');
      sink.onInboundAbort(new GatehouseError(code, 'It broke.'));
      // Nothing that comes late may change what was decided.
      say(sink, '"m"}');
      sink.onInboundAbort(new GatehouseError('client_closed', 'It has gone.'));
      sink.onRequestEnd('');
    });
    assert.deepEqual([exchange.outcome, client.answered?.status, client.aborted], [outcome, status, aborted]);
    assert.deepEqual(ended, [exchange], 'told once');
  });
}
