/** Prices by time, on real sockets: what a stream costs while it runs is taken from its budget as it runs, and ends it when nothing is left. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { call, detailOf, house, ledgerOf, startServer, until, usedOf } from './money.fixture.ts';

/** A second costs 1, and two are reserved. */
const TIME = { reserveTime: '2s', models: { m: { input: '0', output: '0', perSecond: '1' } } };
const UNIT = 1_000_000_000;

function houseFor(t: TestContext, url: string, credits: string) {
  return house(t, url, { workers: 1, prices: TIME, budgets: [{ name: 'all', key: 'resource', credits }] });
}

async function listen(t: TestContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

// Mostly they wait.
describe('where a second costs money', { concurrency: true }, () => {
  test('a stream takes more from its budget as its time goes on, and ends cleanly when there is no more', async (t) => {
    const server = await startServer(t);
    const { folder, start } = houseFor(t, server.url, '4/day');
    const gateway = await start();
    t.after(() => gateway.stop());
    // Twenty seconds, if nobody ended it.
    const more = { max_tokens: undefined, stream_options: { include_usage: true } };
    const answer = await call(gateway, { tokens: 200, pace: 100, stream: true }, more);
    assert.equal(answer.status, 200);
    const text = answer.text();
    await until('more than was reserved at first is taken', async () => (await usedOf(gateway, 'all')) > 2 * UNIT);
    assert.match(await text, /"finish_reason":"length"[^\n]*\n\ndata: .*"usage":\{.*\n\ndata: \[DONE\]\n\n$/);
    assert.equal((await call(gateway, { tokens: 1, pace: 0 })).status, 429);
    await gateway.stop();
    const [entry, ...others] = await ledgerOf(folder);
    assert.equal(others.length, 0);
    assert.equal(entry && detailOf(entry).outcome, 'completed');
    // Not later than its time was up, but for how late a busy machine looks.
    assert.ok(entry && entry.cost > 2 * UNIT && entry.cost < 6 * UNIT, `${entry?.cost}`);
  });

  test('one that says how much it wants ends as well, also while it is silent', async (t) => {
    let open = 0;
    const server = createServer((request, response) => {
      request.resume();
      open++;
      response.on('close', () => open--);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const choices = [{ index: 0, delta: { role: 'assistant', content: 'x' }, finish_reason: null }];
      response.write(
        `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices })}\n\n`,
      );
    });
    const url = await listen(t, server);
    const gateway = await houseFor(t, url, '3/day').start();
    t.after(() => gateway.stop());
    const answer = await call(gateway, { tokens: 50, pace: 0, stream: true });
    assert.match(
      await answer.text(),
      /"content":"x".*\n\ndata: .*"finish_reason":"length"\}\]\}\n\ndata: \[DONE\]\n\n$/,
    );
    await until('its server is told', async () => open === 0);
  });

  test('what can get more goes on, and what is no stream is not cut but paid for', async (t) => {
    const server = await startServer(t);
    const { folder, start } = houseFor(t, server.url, '7/day');
    const gateway = await start();
    t.after(() => gateway.stop());
    const stream = await call(gateway, { tokens: 30, pace: 100, stream: true });
    assert.match(await stream.text(), /"finish_reason":"stop"[\s\S]*\[DONE\]\n\n$/);
    const whole = await call(gateway, { tokens: 5, pace: 5000 });
    assert.equal(whole.status, 200);
    assert.match(await whole.text(), /"finish_reason":"stop"/);
    await until('it is counted', async () => (await usedOf(gateway, 'all')) > 7 * UNIT);
    assert.equal((await call(gateway, { tokens: 1, pace: 0 })).status, 429);
    await gateway.stop();
    const costs = (await ledgerOf(folder)).map(({ cost }) => cost);
    assert.equal(costs.length, 2);
    assert.ok(
      costs.every((cost, i) => cost > (i === 0 ? 2.5 : 4.5) * UNIT),
      costs.join(),
    );
  });

  test('a worker that dies leaves in doubt what was reserved for the time until then', async (t) => {
    const server = await startServer(t);
    const { folder, start } = houseFor(t, server.url, '10/day');
    const gateway = await start();
    t.after(() => gateway.stop());
    const answer = await call(gateway, { tokens: 200, pace: 100, stream: true });
    await until('more is reserved', async () => (await usedOf(gateway, 'all')) > 3 * UNIT);
    // The journal is written a few milliseconds after.
    await setTimeout(200);
    const status = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { workers: { pid: number }[] };
    process.kill((status.workers[0] as { pid: number }).pid, 'SIGKILL');
    await answer.text().catch(() => {});
    await gateway.metricReaches('gatehouse_ledger_in_doubt_total', 1);
    await gateway.stop();
    const [entry] = await ledgerOf(folder);
    assert.equal(entry && detailOf(entry).outcome, 'in_doubt');
    assert.ok(entry && entry.cost > 3 * UNIT, `${entry?.cost}`);
  });

  test('a tunnel is closed when there is no more, and paid for', async (t) => {
    const server = createServer().on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.on('error', () => {});
    });
    const url = await listen(t, server);
    const routes = [{ name: 'live', match: { path: '/live' }, upstream: 'sim' }];
    const prices = { reserveTime: '2s', default: TIME.models.m };
    const budgets = [{ name: 'all', key: 'resource', credits: '3/day' }];
    const { folder, start } = house(t, url, { workers: 1, routes, prices, budgets });
    const gateway = await start();
    t.after(() => gateway.stop());
    const fields = { connection: 'Upgrade', upgrade: 'websocket' };
    const asked = request(`${gateway.url}/live`, { headers: fields }).end();
    const [answer, socket] = (await once(asked, 'upgrade')) as [IncomingMessage, Socket];
    assert.equal(answer.statusCode, 101);
    socket.on('error', () => {}).resume();
    await new Promise((done) => socket.once('close', done));
    await until('it is counted', async () => (await usedOf(gateway, 'all')) > 2 * UNIT);
    await gateway.stop();
    const costs = (await ledgerOf(folder)).map(({ cost }) => cost);
    assert.equal(costs.length, 1);
    assert.ok((costs[0] as number) > 2 * UNIT && (costs[0] as number) < 6 * UNIT, costs.join());
  });
});
