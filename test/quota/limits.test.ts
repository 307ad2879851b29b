/** Operators look at limits and change them while the gateway runs; finance reads what was used. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startGateway, startSimulator } from '../gateway.ts';
import { runCli } from '../program.ts';

test('a budget is raised and released while running, and what was used can be read', async (t) => {
  const simulator = await startSimulator('--model', 'm', '--ttft', '0');
  t.after(() => simulator.stop());
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    models: { m: { versions: [{ name: 'v', upstream: 'sim' }] } },
    routes: [{ name: 'ai', match: { path: '/v1/*' }, models: ['m'] }],
    prices: { currency: 'EUR', default: { perRequest: '1' } },
    budgets: [{ name: 'all', key: 'resource', credits: '2/day', alerts: ['50%'] }],
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
  await setTimeout(600);
  assert.match(await cli('usage', '--by', 'model'), /m\s+4\s.*4\.000000000 EUR/);
  const lines = (await cli('usage', '--entries', '--format', 'csv')).trim().split(/\r\n/);
  assert.equal(lines.length, 5);
  assert.match(lines[0] as string, /^at,id,tenant/);
  assert.match(await cli('changes'), /limits\.raise/);
});
