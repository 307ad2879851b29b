/** Faults while a body is held for its `model`, and in streams whose usage is read. */
import { equal, match, ok } from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { type RunningSimulator, startSimulator } from '../../src/simulate/simulate.ts';
import { assertRefusal, type InProcess, type InProcessOptions, startInProcess, until } from '../inprocess.ts';

let simulator: RunningSimulator;
let gateway: InProcess;

const options = (url: string): InProcessOptions => ({
  upstream: { protocol: 'openai', endpoints: [{ url }] },
  models: { m: { versions: [{ name: 'v1', upstream: 'main' }] } },
  routes: [{ name: 'chat', match: { path: '/v1/*' }, models: ['m'], maxBody: '4KiB' }],
});

before(async () => {
  simulator = await startSimulator();
  gateway = await startInProcess(options(simulator.url));
});
after(async () => {
  await gateway.close();
  await simulator.close();
});

const head = (fields: string) => `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const whole = (body: string, fields = '') => `${head(`Content-Length: ${body.length}\r\n${fields}`)}${body}`;
const asking = (stream: boolean) =>
  JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'hello there' }] });

test('a client that leaves while its body is held: nothing reaches a server', async () => {
  const { requests } = simulator.state();
  const client = await gateway.client();
  await client.send(`${head('Content-Length: 100\r\n')}{"model":"m"`);
  await gateway.unharmed();
  client.end();
  await client.readToEnd();
  equal(gateway.ended.at(-1)?.outcome, 'client_aborted');
  equal(simulator.state().requests, requests);
  await gateway.unharmed();
});

test('a held body over its limit: 413 in the shape of the API', async () => {
  for (const request of [
    head('Content-Length: 5000\r\n'),
    `${head('Transfer-Encoding: chunked\r\n')}1001\r\n${'x'.repeat(4097)}\r\n`,
  ]) {
    const answer = await gateway.ask(request);
    assertRefusal(answer, { status: 413, code: 'body_too_large', close: true });
    match(answer.body, /^\{"error":/);
  }
});

test('all held bodies together have a bound: 503 beyond it, and room again when they end', async () => {
  const own = await startInProcess({
    ...options(simulator.url),
    listener: { limits: { held: '64KiB' } },
    routes: [{ name: 'chat', match: { path: '/v1/*' }, models: ['m'] }],
  });
  const piece = 'x'.repeat(40_000);
  const first = await own.client();
  await first.send(`${head('Content-Length: 60000\r\n')}${piece}`);
  await until('the first body to be held', () => own.worker.held === 40_000);
  const second = await own.client();
  await second.send(`${head('Content-Length: 60000\r\n')}${piece}`);
  const refused = await second.read();
  assertRefusal(refused, { status: 503, code: 'overloaded', close: false });
  equal(own.faults('held_bodies'), 1);
  first.close();
  await until('the first body to be forgotten', () => own.worker.held === 0);
  equal((await own.ask(whole(asking(false)))).status, 200);
  equal(own.worker.held, 0);
  second.close();
  await own.close();
});

test('a held body that stops: 408', async () => {
  const clock = new ManualClock();
  const own = await startInProcess({ ...options(simulator.url), clock });
  const client = await own.client();
  await client.send(`${head('Content-Length: 100\r\n')}{"model":"m"`);
  await own.advance(31_000);
  assertRefusal(await client.read(), { status: 408, code: 'request_timeout', close: true });
  equal(own.faults('slow_body'), 1);
  client.close();
  await own.close();
});

test('bodies that are no JSON, name no model or an unknown one: refused, and the connection goes on', async () => {
  const client = await gateway.client();
  for (const [body, status, code] of [
    ['{"model":', 400, 'invalid_body'],
    ['{}', 400, 'invalid_body'],
    ['{"model":"other"}', 404, 'model_not_found'],
    [asking(false), 200, ''],
  ] as const) {
    await client.send(whole(body));
    const answer = await client.read();
    if (status === 200) equal(answer.status, 200, answer.raw);
    else assertRefusal(answer, { status, code, close: false });
  }
  client.close();
});

test('Expect: 100-continue, held', async () => {
  const client = await gateway.client();
  const body = asking(false);
  await client.send(head(`Expect: 100-continue\r\nContent-Length: ${body.length}\r\n`));
  await client.readUntil('100 \r\n\r\n');
  await client.send(body);
  equal((await client.read()).status, 200);
  client.close();
});

test('row 3: a client that leaves mid-stream: what was generated so far is known, and the model stops', async () => {
  const client = await gateway.client();
  await client.send(whole(asking(true), 'x-simulate: rate=100,tokens=5000\r\n'));
  await client.readUntil(/(data: .*\n\n.*){3}/s);
  const number = gateway.ended.length;
  client.reset();
  await until('the end', () => gateway.ended.length > number);
  const ended = gateway.ended.at(-1);
  equal(ended?.outcome, 'client_aborted');
  ok((ended?.outputTokens ?? 0) >= 2, `${ended?.outputTokens} tokens`);
  await until('the model to stop', () => simulator.state().cancelled > 0 || simulator.state().connections === 0);
  await gateway.unharmed();
});
