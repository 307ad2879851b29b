/**
 * Renewal at a real authority (pebble) whose certificates live for seconds: by the schedule that counts for ninety days, too, under
 * traffic that loses nothing, with one account, for names of the configuration and of the store and no others.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { connect } from 'node:tls';
import { systemClock } from '../../src/kernel/clock.ts';
import { Events } from '../../src/kernel/event.ts';
import { storeConfig } from '../../src/store/config.ts';
import { openStore } from '../../src/store/open.ts';
import { startGateway } from '../gateway.ts';
import { needs } from '../peers.ts';
import { freePort } from '../port.ts';
import { startEcho, startTraffic } from '../traffic.ts';
import { startPebble } from './pebble.ts';

const LIFE_SECONDS = 20;
/** Longer than an attempt and, where a busy machine has spoiled it, the minute until the next. */
const PATIENCE_MS = 130_000;

/** Serial number of the certificate that a server name is shown; undefined when there is none. */
function serialOf(port: number, servername: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      resolve(serialNumber);
    });
    socket.on('error', () => resolve(undefined));
  });
}

test('renewed in time, with connections kept', { timeout: 280_000, ...needs({ commands: ['pebble'] }) }, async (t) => {
  const [tlsPort, httpPort] = await Promise.all([freePort(), freePort()]);
  const blocked = ['blocked.example.com'];
  const pebble = await startPebble({ tlsPort, httpPort, lifeSeconds: LIFE_SECONDS, blocked });
  t.after(() => pebble.stop());
  const echo = await startEcho();
  t.after(() => echo.close());
  const path = join(pebble.folder, 'store.db');
  const store = await openStore(storeConfig.parse({ driver: 'sqlite', path }), pebble.folder, {
    clock: systemClock,
    events: new Events(),
  });
  t.after(() => store.close());
  const acme = {
    domains: ['a.example.com', ...blocked],
    directory: pebble.directory,
    ca: pebble.ca,
    agreeToTerms: true,
    folder: join(pebble.folder, 'acme'),
  };
  const gateway = await startGateway({
    workers: 2,
    store: { driver: 'sqlite', path },
    listeners: { public: { address: `127.0.0.1:${tlsPort}`, tls: { acme, domains: { store: true } } } },
    upstreams: { main: { endpoints: [{ url: echo.url }] } },
    routes: [{ name: 'all', upstream: 'main' }],
  });
  t.after(() => gateway.stop());
  const until = async (what: string, look: () => Promise<boolean>) => {
    for (const since = performance.now(); !(await look()); await setTimeout(200))
      ok(performance.now() - since < PATIENCE_MS, `${what}:\n${gateway.logs}\n${pebble.logs}`);
  };
  await until('issued', async () => (await serialOf(tlsPort, 'a.example.com')) !== undefined);
  // A customer's domain that comes by the store while the program runs.
  await store.write([{ op: 'put', kind: 'domain', id: 'shop.example.com', value: { tenant: 't', acme: true } }]);
  await until('issued for the store', async () => (await serialOf(tlsPort, 'shop.example.com')) !== undefined);
  equal(await serialOf(tlsPort, 'stranger.example.com'), undefined);
  await gateway.waitFor(/no certificate for blocked\.example\.com: .*rejectedIdentifier.*; next attempt in/i);

  const names = ['a.example.com', 'shop.example.com'];
  const first = await Promise.all(names.map((name) => serialOf(tlsPort, name)));
  const clients = { keepAlive: 4, fresh: 2, streams: 2, pause: 10 };
  const traffic = startTraffic({ port: tlsPort, tls: true, servername: 'a.example.com', ...clients });
  t.after(() => traffic.stop());
  for (const [i, name] of names.entries()) {
    await until(`${name} is renewed`, async () => ![undefined, first[i]].includes(await serialOf(tlsPort, name)));
  }
  const { tally } = traffic;
  await until('traffic', async () => tally.answered > 50 && tally.streams > 1);
  const { refused, reset, wrong, cut, losses } = await traffic.stop();
  deepEqual({ refused, reset, wrong, cut }, { refused: 0, reset: 0, wrong: 0, cut: 0 }, losses.join('\n'));
  await gateway.metricReaches('gatehouse_certificate_issuances_total{result="issued"}', 4);
  const series = 'gatehouse_certificate_expiry_timestamp_seconds{source="acme",certificate="a.example.com"}';
  await until('the end that is told', async () => (await gateway.metric(series)) * 1000 > Date.now());
  const accounts = new Set(pebble.logs.match(/There are now \d+ accounts in memory/g) ?? []);
  deepEqual([...accounts], ['There are now 1 accounts in memory']);
  ok(!pebble.logs.includes('stranger.example.com'), 'nobody but us decides who is asked for');
});
