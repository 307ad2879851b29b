/** The same faults through the real program: what the client gets, and what /metrics and the access log say of it. */
import { equal, match, ok } from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningSimulator, startSimulator } from '../../src/simulate/simulate.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { assertRefusal, until } from '../inprocess.ts';
import { exchange, rawClient } from '../raw.ts';

let simulator: RunningSimulator;
let gateway: Gateway;

before(async () => {
  simulator = await startSimulator();
  // Short times only where it is a matter of time: whatever else is held up meets none of them.
  const upstream = (timeouts: object) => ({
    protocol: 'openai',
    endpoints: [{ url: simulator.url }],
    timeouts: { connect: '1h', firstByte: '1h', idle: '1h', total: '1h', ...timeouts },
    retries: { attempts: 1 },
  });
  gateway = await startGateway({
    listeners: {
      public: { address: '127.0.0.1:0', timeouts: { head: '1h' } },
      hasty: { address: '127.0.0.1:0', timeouts: { head: '500ms' } },
    },
    upstreams: { main: upstream({}), silent: upstream({ firstByte: '300ms' }), stalling: upstream({ idle: '300ms' }) },
    routes: [
      { name: 'silent', match: { host: 'silent' }, upstream: 'silent' },
      { name: 'stalling', match: { host: 'stalling' }, upstream: 'stalling' },
      { name: 'all', match: {}, upstream: 'main' },
    ],
  });
});
after(async () => {
  await gateway.stop();
  await simulator.close();
});

/** Waits until a series has reached a value: workers report a few times a second. */
async function reaches(series: string, value: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  let last = -1;
  while (last < value) {
    if (performance.now() > deadline) throw new Error(`${series} is ${last}, not ${value}\n${await gateway.metrics()}`);
    last = await gateway.metric(series);
  }
}

const chat = (fault: string, stream = false, host = 'a') => {
  const body = JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'hi' }] });
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nx-simulate: ${fault}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};

const CASES: [name: string, bytes: string, status: number, code: string, kind: string, close: boolean][] = [
  [
    'smuggling',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    400,
    'bad_request',
    'cl_and_te',
    true,
  ],
  ['bare LF', 'GET / HTTP/1.1\nHost: a\n\n', 400, 'bad_request', 'bare_lf', true],
  ['reset', chat('reset-before-head'), 502, 'upstream_reset', 'upstream_reset', false],
  [
    'both framings',
    chat('content-length-and-transfer-encoding'),
    502,
    'upstream_protocol',
    'response_cl_and_te',
    false,
  ],
  ['folded', chat('obs-fold'), 502, 'upstream_protocol', 'response_obs_fold', false],
  ['silent', chat('stall=head', false, 'silent'), 504, 'first_byte_timeout', 'first_byte_timeout', false],
];

for (const [name, bytes, status, code, kind, close] of CASES) {
  test(`${name}: ${status}, to be counted as ${kind}`, async () => {
    assertRefusal(await exchange(gateway.port, bytes), { status, code, close });
    equal((await exchange(gateway.port, chat('tokens=2'))).status, 200);
  });
}

test('slow head: 408, to be counted as slow_head', async () => {
  // A connection on which nothing has come in that time is closed without a word. Should we be held up before our first
  // byte, that is what happens, rightly: then once more.
  const ask = async () => {
    const client = await rawClient(Number(new URL(gateway.urls.hasty as string).port));
    try {
      await client.send('GET / HTTP/1.1\r\n');
      await client.readToEnd();
      return client.received === '' ? undefined : await client.read();
    } finally {
      client.close();
    }
  };
  let answer = await ask();
  while (answer === undefined) answer = await ask();
  assertRefusal(answer, { status: 408, code: 'request_timeout', close: true });
});

test('a stream that is cut, and one that stalls: an error event, then the end', async () => {
  for (const [fault, host] of [
    ['reset-mid-stream=2', 'a'],
    ['stall=2', 'stalling'],
  ] as const) {
    const client = await rawClient(gateway.port);
    await client.send(chat(fault, true, host));
    await client.readToEnd();
    match(client.received, /"error":\{/);
    ok(!client.received.endsWith('0\r\n\r\n'), 'no last chunk');
    client.close();
  }
});

test('all of it is in gatehouse_faults_total and in the access log', async () => {
  const kinds = [...CASES.map((row) => row[4]), 'slow_head', 'upstream_cut_short', 'idle_timeout'];
  for (const kind of kinds) await reaches(`gatehouse_faults_total{kind="${kind}"}`, 1);
  await until(
    'the log lines',
    () => gateway.accessLog().filter((line) => JSON.stringify(line).includes('upstream_aborted')).length === 2,
  );
});
