/**
 * Rows 4 to 8, 10, 15 and 26 of the fault table, from the server's side: every wrong answer that the simulator knows, each
 * by what a strict gateway owes its client.
 */
import { equal, match, notEqual, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Verdict } from '../../src/simulate/fault.ts';
import { FAULTS, type RunningSimulator, startSimulator } from '../../src/simulate/simulate.ts';
import { assertRefusal, type InProcess, startInProcess } from '../inprocess.ts';
import type { Message } from '../message.ts';
import { CLOSED_URL, type RawPeer } from '../raw.ts';

let simulator: RunningSimulator;
let gateway: InProcess;

before(async () => {
  simulator = await startSimulator({ keepAliveMs: 3_600_000 });
  gateway = await startInProcess({
    upstream: {
      endpoints: [{ url: simulator.url }],
      retries: { attempts: 1 },
      passive: { consecutiveErrors: 1_000_000 },
      // Connections are counted here: none ends because it waited.
      pool: { idleTimeout: '1h' },
    },
  });
});
after(async () => {
  await gateway.close();
  await simulator.close();
});

const ask = (fault: string, method = 'GET') =>
  `${method} /v1/models HTTP/1.1\r\nHost: a\r\n${fault === '' ? '' : `x-simulate: ${fault}\r\n`}\r\n`;

const named = (...verdicts: Verdict[]) =>
  [...FAULTS.values()].filter(({ raw, verdict }) => raw !== undefined && verdicts.includes(verdict));

/** Reads a message, or as much as comes before the end. */
async function readAll(client: RawPeer): Promise<Message | undefined> {
  try {
    return await client.read();
  } catch {
    return undefined;
  }
}

/** The connection that has met a fault is never used again: the next request comes on another one, and is answered. */
async function assertFreshConnection(before: number): Promise<void> {
  const answer = await gateway.ask(ask(''));
  equal(answer.status, 200, answer.raw);
  equal(simulator.state().connectionsTotal, before + 1, 'a new connection to the server');
}

const total = () => Object.values(gateway.counted()).reduce((sum, count) => sum + count, 0);

/** Makes sure that one idle connection to the server is there, and says how many there have been. */
async function warm(): Promise<number> {
  await gateway.ask(ask(''));
  return simulator.state().connectionsTotal;
}

for (const { name, doc } of named('invalid')) {
  test(`${name}: 502 (${doc})`, async () => {
    const connections = await warm();
    const counted = total();
    const client = await gateway.client();
    await client.send(ask(name));
    const answer = await client.read();
    const code = /before-head|mid-head|http09/.test(name)
      ? answer.field('proxy-status')
      : 'details="upstream_protocol"';
    equal(answer.status, 502, answer.raw);
    match(answer.field('proxy-status') ?? '', new RegExp(code ?? '-'));
    // The client's own connection is in order and goes on.
    equal(answer.field('connection'), undefined);
    await client.send(ask(''));
    equal((await client.read()).status, 200);
    client.close();
    ok(total() > counted, 'a fault was counted');
    notEqual(gateway.ended.at(-2)?.code, undefined);
    equal(simulator.state().connectionsTotal, connections + 1, 'a new connection to the server');
    await gateway.unharmed();
  });
}

for (const { name, doc } of named('cut')) {
  test(`${name}: the client sees the break (${doc})`, async () => {
    const connections = await warm();
    const counted = total();
    const client = await gateway.client();
    await client.send(ask(name));
    const answer = await readAll(client);
    // Where it shows with the head there is a 502; later the connection ends before the message does.
    if (answer !== undefined) assertRefusal(answer, { status: 502, code: 'upstream_protocol', close: false });
    else {
      equal(await client.readToEnd(), 'end');
      ok(!client.received.endsWith('0\r\n\r\n'), 'no last chunk');
    }
    client.close();
    ok(total() > counted, 'a fault was counted');
    await assertFreshConnection(connections);
    await gateway.unharmed();
  });
}

for (const { name, doc } of named('valid')) {
  test(`${name}: the answer passes whole (${doc})`, async () => {
    const hash = (message: Message) => createHash('sha256').update(message.body, 'latin1').digest('hex');
    const plain = await gateway.ask(ask(''));
    const client = await gateway.client();
    await client.send(ask(name));
    const answer = await client.read();
    equal(answer.status, 200, answer.raw.slice(0, 2000));
    if (!name.startsWith('gzip')) equal(hash(answer), hash(plain));
    await client.send(ask(''));
    equal((await client.read()).status, 200, 'the connection goes on');
    client.close();
    await gateway.unharmed();
  });
}

for (const { name, doc } of named('trailing')) {
  test(`${name}: a good answer, and the socket is never used again (${doc})`, async () => {
    const connections = await warm();
    const client = await gateway.client();
    await client.send(ask(name));
    const answer = await client.read();
    equal(answer.status, name.startsWith('no-content') ? 204 : name.startsWith('not-modified') ? 304 : 200);
    await client.send(ask(''));
    const next = await client.read();
    equal(next.status, 200, next.raw);
    match(next.body, /"object":"list"/);
    client.close();
    equal(simulator.state().connectionsTotal, connections + 1, 'a new connection to the server');
    if (!/close-after|timeout-after/.test(name)) ok(gateway.faults('bytes_after_response') > 0);
    await gateway.unharmed();
  });
}

test('no connection that had met a fault was used again', () => {
  equal(simulator.state().reusedAfterFault, 0);
});

for (const { name, doc } of named('either')) {
  test(`${name}: refused or repaired (${doc})`, async () => {
    // A repaired answer leaves a connection that the simulator will not serve again: hence the second try.
    const tolerant = await startInProcess({ upstream: simulator.url });
    const client = await tolerant.client();
    await client.send(ask(name));
    const answer = await readAll(client);
    if (answer?.status === 502) assertRefusal(answer, { status: 502, code: 'upstream_protocol', close: false });
    else if (answer !== undefined) {
      ok(answer.status === 200 || answer.status === 204, answer.raw);
      for (const line of answer.trailers) ok(!/^(content-length|transfer-encoding|host)/i.test(line), line);
    } else equal(await client.readToEnd(), 'end');
    client.close();
    await tolerant.close();
  });
}

test('row 7: a stream that is cut ends with an error event and without a last chunk', async () => {
  const body = JSON.stringify({ model: 'simulate', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const openai = await startInProcess({ upstream: { protocol: 'openai', endpoints: [{ url: simulator.url }] } });
  for (const fault of ['reset-mid-stream=3', 'fin-mid-stream=3']) {
    const cut = openai.faults('upstream_cut_short');
    const client = await openai.client();
    await client.send(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nx-simulate: ${fault}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    equal(await client.readToEnd(), 'end');
    match(client.received, /HTTP\/1.1 200 /);
    match(client.received, /"error":\{/);
    ok(!client.received.includes('[DONE]'));
    ok(!client.received.endsWith('0\r\n\r\n'), 'no last chunk');
    client.close();
    equal(openai.faults('upstream_cut_short'), cut + 1);
    equal(openai.ended.at(-1)?.outcome, 'upstream_aborted');
    await openai.unharmed();
  }
  await openai.close();
});

test('row 4: nobody listens: 502 in the shape of the API', async () => {
  const alone = await startInProcess({ upstream: { protocol: 'openai', endpoints: [{ url: CLOSED_URL }] } });
  const body = '{"model":"m"}';
  const answer = await alone.ask(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  assertRefusal(answer, { status: 502, code: 'upstream_refused', proxyError: 'connection_refused', close: false });
  ok(alone.faults('upstream_refused') >= 1);
  await alone.close();
});
