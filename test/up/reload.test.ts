import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { stringify } from 'yaml';
import { PATIENT, startGateway } from '../gateway.ts';
import { startEcho, startTraffic, type Tally } from '../traffic.ts';

/** The full count is for a soak; this many show what can go wrong. */
const RELOADS = Number(process.env.GATEHOUSE_RELOADS ?? 25);
const patience = { timeout: 180_000 + RELOADS * 2000 };

const LOST = ({ refused, reset, wrong, cut }: Tally) => ({ refused, reset, wrong, cut });
const NOTHING = { refused: 0, reset: 0, wrong: 0, cut: 0 };

test('28: workers are killed in the middle of reloads', patience, async (t) => {
  const echo = await startEcho();
  t.after(() => echo.close());
  const settings = (total: number) => ({
    listeners: { public: { address: '127.0.0.1:0' } },
    admin: { address: '127.0.0.1:0' },
    workers: 2,
    overload: PATIENT,
    upstreams: { one: { retries: { attempts: 1 }, timeouts: { total: `${total}s` }, endpoints: [{ url: echo.url }] } },
    routes: [{ name: 'all', upstream: 'one' }],
  });
  const gateway = await startGateway(settings(60));
  t.after(() => gateway.stop());
  const ready = async () => {
    const answer = await fetch(`${gateway.adminUrl}/api/status`);
    const { workers } = (await answer.json()) as { workers: { pid: number; state: string }[] };
    return workers.filter(({ state }) => state === 'ready');
  };
  const traffic = startTraffic({ port: gateway.port, keepAlive: 4, fresh: 4, streams: 2, pause: 2 });
  t.after(() => traffic.stop());
  const ROUNDS = 6;
  for (let round = 1; round <= ROUNDS; round++) {
    const workers = await ready();
    writeFileSync(`${gateway.file}.new`, stringify(settings(60 + round)));
    renameSync(`${gateway.file}.new`, gateway.file);
    const asked = fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST' });
    // The one that tries the configuration, and the other one; at another moment of the reload each time.
    await setTimeout(round * 3);
    const { pid: killed } = workers[round % 2] as { pid: number };
    process.kill(killed, 'SIGKILL');
    const answer = await asked;
    const said = await answer.text();
    // Either it is in force everywhere, or it was refused because its trial died; nothing between.
    if (answer.status !== 200) match(said, /died of it/);
    // It is ready to the supervisor until that has heard of its end.
    for (let now = workers; now.length < 2 || now.some(({ pid }) => pid === killed); now = await ready())
      await setTimeout(20);
  }
  await traffic.reaches({ answered: 101 });
  const tally = await traffic.stop();
  deepEqual({ refused: tally.refused, wrong: tally.wrong, hung: tally.hung }, { refused: 0, wrong: 0, hung: 0 });
  ok(tally.reset + tally.cut <= ROUNDS * 10, 'each kill costs at most what the killed worker held');
  const last = await fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST' });
  equal(last.status, 200, await last.text());
  for (let i = 0; i < 10; i++) equal(await (await fetch(`${gateway.url}/echo/${i}`)).text(), `${i}`);
});

test(`${RELOADS} reloads under load lose nothing`, patience, async (t) => {
  const echo = await startEcho();
  t.after(() => echo.close());
  const settings = (round: number) => ({
    listeners: {
      public: { address: '127.0.0.1:0' },
      ...(round % 2 ? { second: { address: '127.0.0.1:0' } } : {}),
    },
    admin: { address: '127.0.0.1:0' },
    workers: 1 + (round % 3 === 2 ? 1 : 0),
    overload: PATIENT,
    upstreams: {
      one: {
        balance: round % 2 ? 'roundRobin' : 'hash',
        retries: { attempts: 1 },
        timeouts: { total: `${60 + round}s` },
        endpoints: [{ url: echo.url, weight: 1 + (round % 3) }],
      },
    },
    routes: [{ name: `round${round}`, upstream: 'one' }],
  });
  const gateway = await startGateway(settings(0));
  t.after(() => gateway.stop());
  const traffic = startTraffic({ port: gateway.port, keepAlive: 8, fresh: 4, streams: 4 });
  t.after(() => traffic.stop());
  for (let round = 1; round <= RELOADS; round++) {
    writeFileSync(`${gateway.file}.new`, stringify(settings(round)));
    renameSync(`${gateway.file}.new`, gateway.file);
    const answer = await fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST' });
    const said = await answer.text();
    equal(answer.status, 200, said);
    await setTimeout(20);
  }
  await traffic.reaches({ answered: 101, streams: 4 });
  const tally = await traffic.stop();
  deepEqual(LOST(tally), NOTHING, tally.losses.join('\n'));
});
