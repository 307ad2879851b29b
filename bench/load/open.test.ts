import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { dice, type OpenOrder, openRun } from './open.ts';
import { noOutcomes, type Outcome, total } from './outcome.ts';

const json = (status: string, body: string) => `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const STREAM = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const EVENTS = '9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n';

/** Lets requests arrive at a server that does `play`, until `count` have ended. */
async function outcomesAt(
  play: ((socket: Socket, number: string) => void) | undefined,
  count: number,
  settings: Partial<OpenOrder> = {},
) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      const number = /\?n=(\d+) /.exec(bytes.toString())?.[1];
      if (number !== undefined) play?.(socket, number);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A port that was let go might be another test's now.
  const port = play === undefined ? 1 : (server.address() as AddressInfo).port;
  const outcomes = noOutcomes();
  const blamed: string[] = [];
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const order: OpenOrder = {
    ...{
      do: 'open',
      perSecond: 500,
      seed: 1,
      deadlineMs: 10_000,
      freshEvery: 3,
      streamEvery: 0,
      events: 2,
      streamMs: 0,
    },
    target: { host: '127.0.0.1', port, heads: [], bodyBytes: 300, expectBytes: 0 },
    ...settings,
  };
  const run = openRun(order, {
    ended(outcome: Outcome) {
      outcomes[outcome]++;
      if (total(outcomes) >= count) run.halt();
      if (total(outcomes) >= count && run.pending() === 0) done();
    },
    blame: (what) => blamed.push(what),
  });
  run.start();
  await all;
  run.stop();
  server.close();
  assert.deepEqual(blamed, []);
  return outcomes;
}

const only = (outcome: Outcome, outcomes: Record<Outcome, number>) => outcomes[outcome] === total(outcomes);

for (const [title, play, outcome, settings] of [
  ['its own number comes back', (s: Socket, n: string) => s.write(json('200 OK', `{"id":"${n}"}`)), 'right', {}],
  ["another's answer", (s: Socket) => s.write(json('200 OK', '{"id":"0000099999"}')), 'wrong', {}],
  ['503 on a kept connection', (s: Socket) => s.write(json('503 No', 'busy')), 'declined', {}],
  ['502', (s: Socket) => s.write(json('502 No', 'gone')), 'failed', {}],
  ['nobody listens', undefined, 'refused', {}],
  ['the connection is reset', (s: Socket) => s.resetAndDestroy(), 'reset', {}],
  ['the connection is closed', (s: Socket) => s.destroy(), 'reset', {}],
  ['half an answer', (s: Socket) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'), 'reset', {}],
  ['silence', () => {}, 'timeout', { deadlineMs: 50 }],
  ['a whole stream', (s: Socket) => s.write(`${STREAM}${EVENTS}0\r\n\r\n`), 'right', { streamEvery: 1 }],
  [
    'a stream with an event too few',
    (s: Socket) => s.write(`${STREAM}${EVENTS}0\r\n\r\n`),
    'wrong',
    { ...{ streamEvery: 1, events: 3 } },
  ],
  ['a stream that is cut', (s: Socket) => s.end(`${STREAM}${EVENTS}`), 'reset', { streamEvery: 1 }],
] as const) {
  test(`open loop: ${title}: ${outcome}`, async () => {
    const outcomes = await outcomesAt(play, 20, settings);
    assert.ok(only(outcome, outcomes), JSON.stringify(outcomes));
  });
}

test('open loop: arrivals do not wait for answers', async () => {
  const waiting: [Socket, string][] = [];
  let seen = 0;
  const outcomes = await outcomesAt((socket, number) => {
    waiting.push([socket, number]);
    // None is answered before there are thirty.
    if (++seen < 30) return;
    for (const [to, own] of waiting.splice(0)) to.write(json('200 OK', own));
  }, 30);
  assert.ok(only('right', outcomes), JSON.stringify(outcomes));
});

test('the same seed gives the same arrivals, spread over 0 to 1', () => {
  const draws = (seed: number) => Array.from({ length: 1000 }, dice(seed));
  assert.deepEqual(draws(7), draws(7));
  assert.notDeepEqual(draws(7), draws(8));
  const mean = draws(7).reduce((sum, value) => sum + value, 0) / 1000;
  assert.ok(mean > 0.45 && mean < 0.55);
  assert.ok(draws(7).every((value) => value > 0 && value < 1));
});
