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
  gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0', timeouts: { head: '200ms' } } },
    upstreams: {
      main: {
        protocol: 'openai',
        endpoints: [{ url: simulator.url }],
        timeouts: { firstByte: '300ms', idle: '300ms' },
        retries: { attempts: 1 },
      },
    },
    routes: [{ name: 'all', match: {}, upstream: 'main' }],
  });
});
after(async () => {
  await gateway.stop();
  await simulator.close();
});

/** Waits until a series has reached a value: workers report a few times a second. */
async function reaches(series: string, value: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  let last = -1;
  while (last < value) {
    if (performance.now() > deadline) throw new Error(`${series} is ${last}, not ${value}\n${await gateway.metrics()}`);
    last = await gateway.metric(series);
  }
}

const chat = (fault: string, stream = false) => {
  const body = JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'hi' }] });
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nx-simulate: ${fault}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
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
  ['slow head', 'GET / HTTP/1.1\r\n', 408, 'request_timeout', 'slow_head', true],
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
  ['silent', chat('stall=head'), 504, 'first_byte_timeout', 'first_byte_timeout', false],
];

for (const [name, bytes, status, code, kind, close] of CASES) {
  test(`${name}: ${status}, to be counted as ${kind}`, async () => {
    assertRefusal(await exchange(gateway.port, bytes), { status, code, close });
    equal((await exchange(gateway.port, chat('tokens=2'))).status, 200);
  });
}

test('a stream that is cut, and one that stalls: an error event, then the end', async () => {
  for (const fault of ['reset-mid-stream=2', 'stall=2']) {
    const client = await rawClient(gateway.port);
    await client.send(chat(fault, true));
    await client.readToEnd();
    match(client.received, /"error":\{/);
    ok(!client.received.endsWith('0\r\n\r\n'), 'no last chunk');
    client.close();
  }
});

test('all of it is in gatehouse_faults_total and in the access log', async () => {
  const kinds = [...CASES.map((row) => row[4]), 'upstream_cut_short', 'idle_timeout'];
  for (const kind of kinds) await reaches(`gatehouse_faults_total{kind="${kind}"}`, 1);
  await until(
    'the log lines',
    () => gateway.accessLog().filter((line) => JSON.stringify(line).includes('upstream_aborted')).length === 2,
  );
});
