/** Limits on real sockets, across real worker processes: what passes is what was allowed, to the last request. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { type Gate, gateTo } from './gate.fixture.ts';
import { until } from './money.fixture.ts';

/** Before the server stands a gate. */
async function gatewayWith(t: TestContext, limit: Record<string, unknown>) {
  const simulator = await startSimulator('--model', 'm', '--ttft', '0');
  t.after(() => simulator.stop());
  const gate = await gateTo(t, simulator.url);
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 4,
    upstreams: { sim: { protocol: 'openai', endpoints: [{ url: gate.url }] } },
    models: { m: { versions: [{ name: 'v', upstream: 'sim' }] } },
    routes: [{ name: 'ai', match: { path: '/v1/*' }, models: ['m'], limits: [limit] }],
  });
  t.after(() => gateway.stop());
  return { gateway, gate };
}

const ask = (gateway: Gateway, fields: Record<string, string> = {}, body: Record<string, unknown> = {}) =>
  fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...fields },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 5, ...body }),
  });

/** Asks side by side, and lets nobody pass the gate before all others were refused: their answers, and how many were at the gate. */
async function sideBySide(gate: Gate, calls: number, one: () => Promise<Response>) {
  gate.close();
  let refused = 0;
  const asked = Array.from({ length: calls }, async () => {
    const answer = await one();
    if (answer.status === 429) refused++;
    return answer;
  });
  await until('who passed is at the gate, the others are refused', async () => gate.waiting + refused === calls);
  const passed = gate.waiting;
  gate.open();
  return { passed, answers: await Promise.all(asked) };
}

test('of 400 parallel calls on 4 workers a limit of 100 in ten minutes lets exactly 100 pass', async (t) => {
  const { gateway, gate } = await gatewayWith(t, { key: 'resource', requests: '100/10m' });
  gate.open();
  const answers = await Promise.all(Array.from({ length: 400 }, () => ask(gateway)));
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  let passed = count(200);
  assert.equal(count(429), 400 - passed);
  t.diagnostic(`${passed} of the 400 passed at once`);
  // What a worker that had to wait for its processor has kept in hand meanwhile is to be had afterwards.
  await until('all of the limit is there', async () => {
    if (passed < 100 && (await ask(gateway)).status === 200) passed++;
    return passed >= 100;
  });
  for (let i = 0; i < 20; i++) assert.equal((await ask(gateway)).status, 429);
  assert.equal(passed, 100);
  const refused = answers.find(({ status }) => status === 429) as Response;
  assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/);
  assert.equal(refused.headers.get('x-ratelimit-limit-requests'), '100');
  assert.equal(refused.headers.get('x-ratelimit-remaining-requests'), '0');
  const { error } = (await refused.json()) as { error: { message: string; type: string } };
  assert.match(error.message, /100 requests per 10 minutes is reached \(ai\/resource-requests\)/);
});

test('never more requests at once than `concurrency`, and each place is free again when its request ends', async (t) => {
  const { gateway, gate } = await gatewayWith(t, { key: 'header:x-team', concurrency: 3 });
  for (let round = 0; round < 3; round++) {
    const { passed, answers } = await sideBySide(gate, 40, () => ask(gateway, { 'x-team': 'a' }));
    assert.ok(passed >= 1 && passed <= 3, `${passed} at once`);
    for (const answer of answers) await answer.text();
    assert.equal(answers.filter(({ status }) => status === 200).length, passed);
  }
});

test('five parallel calls of 130 tokens under a limit of 300 a minute: two pass, and never more', async (t) => {
  const { gateway, gate } = await gatewayWith(t, { key: 'resource', tokens: '300/min' });
  const { passed, answers } = await sideBySide(gate, 5, () => ask(gateway, {}, { max_tokens: 100 }));
  assert.equal(passed, 2);
  assert.equal(answers.filter(({ status }) => status === 200).length, 2);
});

test('a limit that only observes refuses nothing, and says what it would have refused', async (t) => {
  const limit = { name: 'watch', key: 'resource', requests: '5/min', mode: 'observe' };
  const { gateway, gate } = await gatewayWith(t, limit);
  gate.open();
  for (let i = 0; i < 20; i++) assert.equal((await ask(gateway)).status, 200);
  assert.ok(
    (await gateway.metricReaches('gatehouse_limit_exceeded_total{rule="ai/watch",result="observed"}', 1)) <= 15,
  );
});
