/** Limits on real sockets, across real worker processes: what passes is what was allowed, to the last request. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';

async function gatewayWith(route: Record<string, unknown>, more: Record<string, unknown> = {}) {
  const simulator = await startSimulator('--model', 'm', '--ttft', '0');
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 4,
    upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    models: { m: { versions: [{ name: 'v', upstream: 'sim' }] } },
    routes: [{ name: 'ai', match: { path: '/v1/*' }, models: ['m'], ...route }],
    ...more,
  });
  return { gateway, stop: async () => void (await Promise.all([gateway.stop(), simulator.stop()])) };
}

const ask = (gateway: Gateway, fields: Record<string, string> = {}, body: Record<string, unknown> = {}) =>
  fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...fields },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 5, ...body }),
  });

test('of 400 parallel calls on 4 workers a limit of 100 a minute lets exactly 100 pass', async (t) => {
  const { gateway, stop } = await gatewayWith({ limits: [{ key: 'resource', requests: '100/min' }] });
  t.after(stop);
  const answers = await Promise.all(Array.from({ length: 400 }, () => ask(gateway)));
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  assert.deepEqual([count(200), count(429)], [100, 300]);
  const refused = answers.find(({ status }) => status === 429) as Response;
  assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/);
  assert.equal(refused.headers.get('x-ratelimit-limit-requests'), '100');
  assert.equal(refused.headers.get('x-ratelimit-remaining-requests'), '0');
  const { error } = (await refused.json()) as { error: { message: string; type: string } };
  assert.match(error.message, /100 requests per minute is reached \(ai\/resource-requests\)/);
});

test('never more requests at once than `concurrency`, and each place is free again when its request ends', async (t) => {
  const { gateway, stop } = await gatewayWith({ limits: [{ key: 'header:x-team', concurrency: 3 }] });
  t.after(stop);
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(gateway, { 'x-team': 'a' })));
    await Promise.all(answers.map((answer) => answer.text()));
    assert.ok(answers.some(({ status }) => status === 200));
    assert.ok(answers.every(({ status }) => status === 200 || status === 429));
  }
});

test('five parallel calls of 130 tokens under a limit of 300 a minute: two pass, and never more', async (t) => {
  const { gateway, stop } = await gatewayWith({ limits: [{ key: 'resource', tokens: '300/min' }] });
  t.after(stop);
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask(gateway, {}, { max_tokens: 100 })));
  assert.equal(answers.filter(({ status }) => status === 200).length, 2);
});

test('a limit that only observes refuses nothing, and says what it would have refused', async (t) => {
  const { gateway, stop } = await gatewayWith({
    limits: [{ name: 'watch', key: 'resource', requests: '5/min', mode: 'observe' }],
  });
  t.after(stop);
  for (let i = 0; i < 20; i++) assert.equal((await ask(gateway)).status, 200);
  assert.ok(
    (await gateway.metricReaches('gatehouse_limit_exceeded_total{rule="ai/watch",result="observed"}', 1)) <= 15,
  );
});
