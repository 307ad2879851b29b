/** Operators look at limits and change them while the gateway runs; finance reads what was used. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startGateway, startSimulator } from '../gateway.ts';
import { runCli } from '../program.ts';
import { startRedis } from '../redis.ts';
import { until } from './money.fixture.ts';
import { NOON } from './noon.ts';

test('a budget is raised and released while running, and what was used can be read', async (t) => {
  const simulator = await startSimulator('--model', 'm', '--ttft', '0');
  t.after(() => simulator.stop());
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    models: { m: { versions: [{ name: 'v', upstream: 'sim' }] } },
    routes: [{ name: 'ai', match: { path: '/v1/*' }, models: ['m'] }],
    prices: { currency: 'EUR', default: { perRequest: '1' } },
    budgets: [{ name: 'all', key: 'resource', credits: '2/day', timeZone: NOON, alerts: ['50%'] }],
  });
  t.after(() => gateway.stop());
  const ask = async () => {
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 5 }),
    });
    await answer.text();
    await setTimeout(150);
    return answer.status;
  };
  const cli = async (...args: string[]) => {
    const program = runCli([...args, '--admin', gateway.adminUrl]);
    await new Promise((done) => program.child.once('close', done));
    assert.equal(program.child.exitCode, 0, program.logs);
    return program.logs;
  };
  assert.deepEqual([await ask(), await ask(), await ask()], [200, 200, 429]);
  assert.match(await cli('limits'), /budget:all\s+\*\s+2\s+2\s+100 %/);
  await cli('limits', 'raise', 'all', '*', '--by', '1', '--for', '1h');
  assert.deepEqual([await ask(), await ask()], [200, 429]);
  assert.match(await cli('limits'), /Changed by operators/);
  await cli('limits', 'release', 'all', '*');
  assert.equal(await ask(), 200);
  const asked = async () => {
    const usage = await (await fetch(`${gateway.adminUrl}/api/v1/usage?by=model`)).json();
    return (usage as { sums: { requests: number }[] }).sums[0]?.requests;
  };
  await until('all of it is in the ledger', async () => (await asked()) === 4);
  assert.match(await cli('usage', '--by', 'model'), /m\s+4\s.*4\.000000000 EUR/);
  const lines = (await cli('usage', '--entries', '--format', 'csv')).trim().split(/\r\n/);
  assert.equal(lines.length, 5);
  assert.match(lines[0] as string, /^at,id,tenant/);
  assert.match(await cli('changes'), /limits\.raise/);
});

for (const where of ['memory', 'disk', 'redis'] as const)
  test(`a limit that is counted in ${where} is listed, raised, restored and released`, async (t) => {
    const simulator = await startSimulator('--model', 'm', '--ttft', '0');
    t.after(() => simulator.stop());
    const redis = where === 'redis' ? await startRedis() : undefined;
    t.after(() => redis?.kill());
    const config = {
      listeners: { public: { address: '127.0.0.1:0' } },
      ...(redis && { redis: { url: redis.url, timeout: '20s', connectTimeout: '20s' } }),
      upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
      routes: [
        {
          name: 'ai',
          match: { path: '/*' },
          upstream: 'sim',
          limits: [
            { name: 'calls', key: ['header:x-key', 'header:x-team'], requests: where === 'disk' ? '4/day' : '4/10m' },
            { name: 'all', key: 'resource', requests: '1000/min' },
          ],
        },
      ],
    };
    const gateways = [await startGateway(config), ...(redis === undefined ? [] : [await startGateway(config)])];
    for (const gateway of gateways) t.after(() => gateway.stop());
    let turn = 0;
    const passed = async (key: string, calls: number) => {
      let count = 0;
      for (let i = 0; i < calls; i++) {
        const gateway = gateways[turn++ % gateways.length] as (typeof gateways)[number];
        const answer = await fetch(`${gateway.url}/v1/models`, { headers: { 'x-key': key, 'x-team': 'red' } });
        await answer.text();
        if (answer.status === 200) count++;
        else assert.equal(answer.status, 429);
        // A refusal is believed for a tenth of a second, and what a worker has is told within a while.
        await setTimeout(120);
      }
      return count;
    };
    // By the node that is asked last: it has heard nothing of the key but through what is counted.
    const cli = async (...args: string[]) => {
      const program = runCli([...args, '--admin', (gateways.at(-1) as (typeof gateways)[number]).adminUrl]);
      await new Promise((done) => program.child.once('close', done));
      assert.equal(program.child.exitCode, 0, program.logs);
      return program.logs;
    };
    assert.equal(await passed('a', 6), 4);
    assert.equal(await passed('b', 1), 1);
    const listed = await cli('limits');
    assert.match(listed, /ai\/calls\s+a red\s+4\s+4\s+100 %/);
    assert.match(listed, /ai\/calls\s+b red\s+1\s+4\s+25 %/);
    await cli('limits', 'release', 'ai/calls', 'a red');
    assert.equal(await passed('a', 6), 4);
    if (redis === undefined) {
      await cli('limits', 'raise', 'ai/calls', 'a red', '--by', '2', '--for', '1h');
      assert.equal(await passed('a', 4), 2);
      assert.match(await cli('limits'), /ai\/calls\s+a red\s+6\s+6\s+100 %/);
      await cli('limits', 'restore', 'ai/calls', 'a red');
      assert.equal(await passed('a', 1), 0);
    } else {
      // Each node has a store of its own here, and is told by itself.
      for (const gateway of gateways) {
        const order = JSON.stringify({ rule: 'ai/calls', key: 'a red', to: 6, for: '1h' });
        const answer = await fetch(`${gateway.adminUrl}/api/v1/limits/raise`, { method: 'POST', body: order });
        assert.equal(answer.status, 200, await answer.text());
      }
      assert.equal(await passed('a', 4), 2);
    }
  });
