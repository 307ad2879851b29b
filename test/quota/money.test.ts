/** The numbers of money under fire: workers and supervisors are killed, and every sum still fits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  call,
  costOfTokens,
  detailOf,
  house,
  kill,
  killSupervisor,
  ledgerOf,
  startServer,
  until,
  usedOf,
  workerPids,
  writtenDown,
} from './money.fixture.ts';

const below = (most: number) => Math.floor(systemClock.random() * most);

test('what clients got, what the server produced, what the ledger says and what budgets have used are one', async (t) => {
  const server = await startServer(t);
  const budgets = [
    { name: 'all', key: 'resource', credits: '1000/month' },
    { name: 'route', key: 'route', credits: '500/day' },
  ];
  const { folder, start } = house(t, server.url, { budgets });
  let gateway = await start();
  t.after(() => gateway.stop());
  const answered = new Set<string>();
  let calls = 0;
  let over = false;
  const client = async () => {
    while (!over) {
      try {
        calls++;
        const stream = below(3) === 0;
        const answer = await call(gateway, { tokens: 1 + below(20), pace: below(stream ? 4 : 25), stream });
        const text = await answer.text();
        const whole = !stream || text.endsWith('data: [DONE]\n\n');
        if (answer.status === 200 && whole) answered.add(answer.headers.get('x-request-id') as string);
      } catch {
        await setTimeout(20);
      }
    }
  };
  const clients = Array.from({ length: 8 }, client);
  for (let round = 0; round < 6; round++) {
    const enough = answered.size + 15;
    await until('answers', async () => answered.size >= enough);
    await setTimeout(below(300));
    const pids = await workerPids(gateway);
    if (round % 3 !== 2) kill(pids[below(pids.length)] as number);
    else {
      // Alone, so that its workers end by themselves, or all at once, as a machine that fails does.
      await killSupervisor(gateway, round === 2 ? [] : pids);
      gateway = await start();
    }
  }
  const enough = answered.size + 15;
  await until('answers of the last', async () => answered.size >= enough);
  over = true;
  await Promise.all(clients);
  const sums = async () => {
    const usage = await (await fetch(`${gateway.adminUrl}/api/v1/usage?by=route`)).json();
    return Math.round(Number((usage as { sums: { cost: string }[] }).sums[0]?.cost ?? 0) * 1e9);
  };
  // When all has been told, and what the dead held has come back.
  for (const name of ['all', 'route'])
    await until(`the budget ${name} has used what the ledger says`, async () => {
      const [used, spent] = [await usedOf(gateway, name), await sums()];
      return used === spent;
    });
  await gateway.stop();
  const entries = await ledgerOf(folder);
  const byRequest = new Map(entries.map((entry) => [detailOf(entry).request, entry]));
  assert.equal(byRequest.size, entries.length, 'each once');
  for (const id of answered) {
    const entry = byRequest.get(id);
    assert.equal(entry?.cost, costOfTokens(10, server.produced.get(id) as number), `request ${id}`);
    assert.equal(entry && detailOf(entry).outcome, 'completed');
  }
  for (const entry of entries) {
    const { request, outcome } = detailOf(entry);
    const least = server.produced.get(request) ?? 0;
    if (outcome === 'in_doubt') assert.ok(entry.outputTokens >= least, `${request}: at least what was produced`);
    else if (outcome === 'completed') assert.equal(entry.outputTokens, least);
  }
  assert.ok(answered.size > 100, `${answered.size} of ${calls}`);
  t.diagnostic(
    `${calls} calls, ${answered.size} answered, ${entries.length} entries, ${entries.filter((one) => detailOf(one).outcome === 'in_doubt').length} in doubt`,
  );
});

test('a worker is killed in the middle of a stream: it is in doubt, with what was reserved, and the rest of its budget comes back', async (t) => {
  const server = await startServer(t);
  const { folder, start } = house(t, server.url, {
    workers: 1,
    budgets: [{ name: 'all', key: 'resource', credits: '1/day' }],
  });
  const gateway = await start();
  t.after(() => gateway.stop());
  const answer = await call(gateway, { tokens: 1000, pace: 5, stream: true });
  await writtenDown(folder, answer.headers.get('x-request-id') as string);
  for (const pid of await workerPids(gateway)) kill(pid);
  await gateway.waitFor(/1 requests were under way when worker process/);
  const reserved = await gateway.metricReaches('gatehouse_ledger_in_doubt_total', 1);
  assert.equal(reserved, 1);
  await until('only what is in doubt is used', async () => {
    const used = await usedOf(gateway, 'all');
    // About ten input tokens, a thousand of output.
    return used >= costOfTokens(1, 1000) && used <= costOfTokens(100, 1000);
  });
  assert.equal((await call(gateway, { tokens: 5, pace: 0 })).status, 200);
  await gateway.stop();
  const [first, ...rest] = await ledgerOf(folder);
  assert.equal(first && detailOf(first).outcome, 'in_doubt');
  assert.equal(first?.outputTokens, 1000);
  assert.equal(rest.length, 1);
});

test('workers whose supervisor was killed spend nothing that its successor does not know of', async (t) => {
  const server = await startServer(t);
  // Enough for one stream of a thousand tokens, and a half of another one.
  const budgets = [{ name: 'all', key: 'resource', credits: '0.05/day' }];
  const { folder, start } = house(t, server.url, { workers: 1, budgets });
  const first = await start();
  const orphans = await workerPids(first);
  t.after(() => orphans.forEach(kill));
  const stream = await call(first, { tokens: 1000, pace: 0, stream: true, waitAfter: 10 });
  await writtenDown(folder, stream.headers.get('x-request-id') as string);
  await killSupervisor(first);
  const second = await start();
  t.after(() => second.stop());
  assert.equal((await call(second, { tokens: 1000, pace: 0 })).status, 429, 'what is reserved elsewhere counts');
  server.release();
  assert.match(await stream.text(), /data: \[DONE\]\n\n$/);
  await until('what was not used comes back', async () => (await usedOf(second, 'all')) === costOfTokens(10, 1000));
  assert.equal((await call(second, { tokens: 500, pace: 0 })).status, 200);
  await second.stop();
  assert.deepEqual(
    (await ledgerOf(folder)).map(({ cost }) => cost),
    [costOfTokens(10, 1000), costOfTokens(10, 500)],
  );
});
