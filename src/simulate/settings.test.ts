import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { type RunningSimulator, startSimulator } from './simulate.ts';

let simulator: RunningSimulator;
before(async () => {
  simulator = await startSimulator({ tokens: 6 });
});
after(() => simulator.close());

interface Seen {
  text: string;
  over: 'fin' | 'rst' | 'silent';
}

/** Asks on a raw socket; reads to the end, or until `enough` is seen and nothing can follow. */
function ask(fault: string, stream: boolean, enough?: RegExp, path = '/v1/chat/completions'): Promise<Seen> {
  const body = JSON.stringify({
    model: 'm',
    stream,
    max_tokens: 50,
    messages: [{ role: 'user', content: 'x' }],
    input: 'x',
  });
  const socket = connect(simulator.port, simulator.host);
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-simulate: ${fault}\r\n`;
  socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  return new Promise((resolve) => {
    let text = '';
    const done = (over: Seen['over']): void => {
      resolve({ text, over });
      socket.destroy();
    };
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1');
      if (enough?.test(text)) done('silent');
    });
    socket.on('end', () => done('fin'));
    socket.on('error', () => done('rst'));
  });
}

const deltas = (text: string): number => text.split('{"content":"').length - 1;

test('streams that break after N tokens', async () => {
  for (const rate of ['', ',rate=1000']) {
    const reset = await ask(`reset-mid-stream=2${rate}`, true);
    assert.equal(reset.over, 'rst');
    assert.equal(deltas(reset.text), 2);
    const fin = await ask(`fin-mid-stream=2${rate}`, true);
    assert.equal(fin.over, 'fin');
    assert.equal(deltas(fin.text), 2);
    assert.ok(!fin.text.includes('[DONE]') && !fin.text.endsWith('0\r\n\r\n'));
    const error = await ask(`error-mid-stream=2${rate}`, true);
    assert.equal(deltas(error.text), 2);
    assert.match(error.text, /data: \{"error":\{.*\r\n0\r\n\r\n$/s);
    assert.ok(!error.text.includes('[DONE]'));
  }
  const claude = await ask('error-mid-stream=1', true, undefined, '/v1/messages');
  assert.match(claude.text, /event: error\ndata: \{"type":"error"/);
  const responses = await ask('error-mid-stream=1', true, undefined, '/v1/responses');
  assert.match(responses.text, /event: response\.failed\n/);
});

test('bodies that break half-way', async () => {
  for (const [fault, over] of [
    ['reset-mid-stream', 'rst'],
    ['fin-mid-stream', 'fin'],
  ] as const) {
    const seen = await ask(fault, false);
    assert.equal(seen.over, over);
    const [head, body] = seen.text.split('\r\n\r\n');
    const length = Number(/content-length: (\d+)/.exec(head ?? '')?.[1]);
    assert.equal(body?.length, Math.ceil(length / 2));
  }
});

test('silence: before the head the client sees nothing, later just what was said', async () => {
  const before = simulator.state();
  const cancelled = async (count: number): Promise<void> => {
    while (simulator.state().cancelled < before.cancelled + count)
      await new Promise((resolve) => setTimeout(resolve, 2));
  };
  const seen = await ask('stall=2', true, /(\{"content":"[^"]+.*){2}/s);
  assert.equal(deltas(seen.text), 2);
  await cancelled(1);
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x' }] });
  const socket = connect(simulator.port, simulator.host);
  socket.on('data', () => assert.fail('not silent'));
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-simulate: stall\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  while (simulator.state().open === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  socket.destroy();
  await cancelled(2);
  assert.equal(simulator.state().open, 0);
});

test('early answers before the body is there; no-read never reads it', async () => {
  const socket = connect(simulator.port, simulator.host);
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-simulate: early,status=413\r\nContent-Length: 1000000\r\n\r\n',
  );
  const head = await new Promise<string>((resolve) => socket.once('data', (part) => resolve(String(part))));
  assert.match(head, /^HTTP\/1\.1 413 /);
  socket.destroy();
  const silent = connect(simulator.port, simulator.host);
  silent.on('error', () => {});
  silent.write(
    'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-simulate: no-read\r\nContent-Length: 100000000\r\n\r\n',
  );
  // The socket's buffers take some, then no more: backpressure.
  const block = Buffer.alloc(1 << 20);
  let blocked = false;
  for (let i = 0; i < 90 && !blocked; i++) {
    blocked = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(true), 300);
      silent.write(block, () => {
        clearTimeout(timer);
        resolve(false);
      });
    });
  }
  assert.ok(blocked);
  silent.destroy();
});

test('ways to write a stream', async () => {
  const plain = await ask('cached', true);
  const bytes = (seen: Seen): string => {
    let body = seen.text.slice(seen.text.indexOf('\r\n\r\n') + 4);
    let text = '';
    for (;;) {
      const line = body.indexOf('\r\n');
      const size = Number.parseInt(body.slice(0, line), 16);
      if (!size) return text.replaceAll(/chatcmpl-\w+|"created":\d+/g, '');
      text += body.slice(line + 2, line + 2 + size);
      body = body.slice(line + 4 + size);
    }
  };
  const right = bytes(plain);
  assert.equal(bytes(await ask('split=1', true)), right);
  assert.equal(bytes(await ask('split=5,rate=2000', true)), right);
  assert.equal(bytes(await ask('slow-start=5', true)), right);
  assert.match((await ask('slow-start=5', false)).text, /^HTTP\/1\.1 200 .*content-length: \d+.*"usage":\{/s);
  assert.equal(bytes(await ask('ttft=5,rate=1000', true)), right);
  assert.equal(bytes(await ask('sse=crlf', true)), right.replaceAll('\n', '\r\n'));
  assert.ok(bytes(await ask('sse=bom', true)).startsWith('\xef\xbb\xbfdata: '));
});

test('headers on demand', async () => {
  const cases: [fault: string, line: RegExp][] = [
    ['status=503,retry-after=9', /^HTTP\/1\.1 503 .*\r\nretry-after: 9\r\n/s],
    ['ratelimit=4', /x-ratelimit-remaining-requests: 4\r\n/],
    ['status=204', /^HTTP\/1\.1 204 /],
    ['unknown', /^HTTP\/1\.1 400 .*there is no fault 'unknown'/s],
  ];
  for (const [fault, line] of cases) assert.match((await ask(fault, false)).text, line);
  const claude = await ask('ratelimit=4', false, undefined, '/v1/messages');
  assert.match(claude.text, /anthropic-ratelimit-requests-remaining: 4\r\n/);
  assert.match(claude.text, /\r\nrequest-id: req_/);
});

test('a client that speaks HTTP/1.0 gets an unchunked stream', async () => {
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'x' }] });
  const socket = connect(simulator.port, simulator.host);
  socket.write(
    `POST /v1/chat/completions HTTP/1.0\r\nx-simulate: rate=1000\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  let text = '';
  for await (const part of socket) text += String(part);
  assert.ok(!/transfer-encoding/i.test(text));
  assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('a slow reader holds the stream back without harm to others', async () => {
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'x' }] });
  const socket = connect(simulator.port, simulator.host);
  socket.pause();
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-simulate: tokens=60000\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const quick = await ask('cached', true);
  assert.ok(quick.text.includes('[DONE]'));
  let tail = '';
  for await (const part of socket) tail = (tail + String(part)).slice(-100);
  assert.ok(tail.includes('data: [DONE]'), tail);
});

test('tokens of an answer that nobody waited for are counted as generated so far', async () => {
  const before = simulator.state();
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x' }] });
  const socket = connect(simulator.port, simulator.host);
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-simulate: rate=100,tokens=10000\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  while (simulator.state().open === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  await new Promise((resolve) => setTimeout(resolve, 40));
  socket.destroy();
  while (simulator.state().cancelled === before.cancelled) await new Promise((resolve) => setTimeout(resolve, 2));
  const tokens = simulator.state().lastCancel?.tokens ?? 0;
  assert.ok(tokens >= 3 && tokens < 10_000, `${tokens}`);
  assert.equal(simulator.state().generationTokens - before.generationTokens, tokens);
});
