/** Prices by time, on real sockets: what a stream costs while it runs is taken from its budget as it runs, and ends it when nothing is left. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import {
  call,
  detailOf,
  house,
  kill,
  ledgerOf,
  startServer,
  until,
  usedOf,
  workerPids,
  writtenDown,
} from './money.fixture.ts';

/** A second costs 1, and six are reserved. More is asked for three seconds before they are over: so long it may take to get it. */
const TIME = { reserveTime: '6s', models: { m: { input: '0', output: '0', perSecond: '1' } } };
const UNIT = 1_000_000_000;

/** The most that a request may cost that began after this: what a second costs, until asked. */
function meter() {
  const from = performance.now();
  return () => ((performance.now() - from) / 1000) * UNIT;
}

function houseFor(t: TestContext, url: string, credits: string) {
  return house(t, url, { workers: 1, prices: TIME, budgets: [{ name: 'all', key: 'resource', credits }] });
}

async function listen(t: TestContext, server: Server): Promise<string> {
  server.keepAliveTimeout = 0;
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
    const { folder, start } = houseFor(t, server.url, '12/day');
    const gateway = await start();
    t.after(() => gateway.stop());
    // For ever, if nobody ended it.
    const more = { max_tokens: undefined, stream_options: { include_usage: true } };
    const most = meter();
    const answer = await call(gateway, { tokens: 20_000, pace: 100, stream: true }, more);
    assert.equal(answer.status, 200);
    const text = answer.text();
    await until('more than was reserved at first is taken', async () => (await usedOf(gateway, 'all')) > 6 * UNIT);
    assert.match(await text, /"finish_reason":"length"[^\n]*\n\ndata: .*"usage":\{.*\n\ndata: \[DONE\]\n\n$/);
    const limit = most();
    assert.equal((await call(gateway, { tokens: 1, pace: 0 })).status, 429);
    await gateway.stop();
    const [entry, ...others] = await ledgerOf(folder);
    assert.equal(others.length, 0);
    assert.equal(entry && detailOf(entry).outcome, 'completed');
    // Not before its time was up: almost twelve seconds.
    assert.ok(entry && entry.cost > 11 * UNIT && entry.cost <= limit, `${entry?.cost} of ${limit}`);
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
    const gateway = await houseFor(t, url, '7/day').start();
    t.after(() => gateway.stop());
    const answer = await call(gateway, { tokens: 50, pace: 0, stream: true });
    assert.match(
      await answer.text(),
      /"content":"x".*\n\ndata: .*"finish_reason":"length"\}\]\}\n\ndata: \[DONE\]\n\n$/,
    );
    await until('its server is told', async () => open === 0);
  });

  test('what can get more goes on', async (t) => {
    const server = await startServer(t);
    const { folder, start } = houseFor(t, server.url, '100/day');
    const gateway = await start();
    t.after(() => gateway.stop());
    const most = meter();
    const stream = await call(gateway, { tokens: 80, pace: 100, stream: true });
    assert.match(await stream.text(), /"finish_reason":"stop"[\s\S]*\[DONE\]\n\n$/);
    const limit = most();
    await gateway.stop();
    const costs = (await ledgerOf(folder)).map(({ cost }) => cost);
    assert.equal(costs.length, 1);
    assert.ok((costs[0] as number) > 7.5 * UNIT && (costs[0] as number) <= limit, costs.join());
  });

  test('what is no stream is not cut but paid for', async (t) => {
    const server = await startServer(t);
    const { folder, start } = houseFor(t, server.url, '7/day');
    const gateway = await start();
    t.after(() => gateway.stop());
    const whole = await call(gateway, { tokens: 5, pace: 8000 });
    assert.equal(whole.status, 200);
    assert.match(await whole.text(), /"finish_reason":"stop"/);
    await until('it is counted', async () => (await usedOf(gateway, 'all')) > 7.5 * UNIT);
    assert.equal((await call(gateway, { tokens: 1, pace: 0 })).status, 429);
    await gateway.stop();
    const costs = (await ledgerOf(folder)).map(({ cost }) => cost);
    assert.equal(costs.length, 1);
    assert.ok((costs[0] as number) > 7.5 * UNIT, costs.join());
  });

  test('a worker that dies leaves in doubt what was reserved for the time until then', async (t) => {
    const server = await startServer(t);
    const { folder, start } = houseFor(t, server.url, '100/day');
    const gateway = await start();
    t.after(() => gateway.stop());
    const answer = await call(gateway, { tokens: 2000, pace: 100, stream: true });
    await until('more is reserved', async () => (await usedOf(gateway, 'all')) > 7 * UNIT);
    await writtenDown(folder, answer.headers.get('x-request-id') as string, 7 * UNIT);
    for (const pid of await workerPids(gateway)) kill(pid);
    await answer.text().catch(() => {});
    await gateway.metricReaches('gatehouse_ledger_in_doubt_total', 1);
    await gateway.stop();
    const [entry] = await ledgerOf(folder);
    assert.equal(entry && detailOf(entry).outcome, 'in_doubt');
    assert.ok(entry && entry.cost > 7 * UNIT, `${entry?.cost}`);
  });

  test('a tunnel is closed when there is no more, and paid for', async (t) => {
    const server = createServer().on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.on('error', () => {});
    });
    const url = await listen(t, server);
    const routes = [{ name: 'live', match: { path: '/live' }, upstream: 'sim' }];
    const prices = { reserveTime: TIME.reserveTime, default: TIME.models.m };
    const budgets = [{ name: 'all', key: 'resource', credits: '12/day' }];
    const { folder, start } = house(t, url, { workers: 1, routes, prices, budgets });
    const gateway = await start();
    t.after(() => gateway.stop());
    const fields = { connection: 'Upgrade', upgrade: 'websocket' };
    const most = meter();
    const asked = request(`${gateway.url}/live`, { headers: fields }).end();
    const [answer, socket] = (await once(asked, 'upgrade')) as [IncomingMessage, Socket];
    assert.equal(answer.statusCode, 101);
    socket.on('error', () => {}).resume();
    await new Promise((done) => socket.once('close', done));
    const limit = most();
    await until('it is counted', async () => (await usedOf(gateway, 'all')) > 11 * UNIT);
    await gateway.stop();
    const costs = (await ledgerOf(folder)).map(({ cost }) => cost);
    assert.equal(costs.length, 1);
    assert.ok((costs[0] as number) > 11 * UNIT && (costs[0] as number) <= limit, costs.join());
  });
});
