/** The breaker of an endpoint on real sockets: what opens it, the one probe, and what panic does (FAULTS row 39). */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { assertRefusal, type InProcess, until, withGateway, withServer } from '../inprocess.ts';
import { plainResponse } from '../raw.ts';
import { answering, GET, serve, status } from './play.ts';

const breaker = { consecutiveTimeouts: 3, openFor: '30s' };
const OPEN = { upstream: 'main', state: 'open', reason: 'told so' } as const;
const timeouts = { connect: '2s', firstByte: '1s', idle: '1s' };

const standing = (gateway: InProcess, name = 'only') =>
  gateway.worker.snapshot.upstreams.get('main')?.endpoint(name)?.standing;

/** Sends a request that runs into `firstByte`. */
async function timeOut(gateway: InProcess, server: { connections: unknown[] }): Promise<void> {
  const client = await gateway.client();
  const before = server.connections.length;
  await client.send(GET);
  await until('the request to arrive', () => server.connections.length > before);
  await gateway.unharmed();
  await gateway.advance(1100);
  equal((await client.read()).status, 504);
  client.close();
}

test('timeouts in a row open it; then nothing gets through but one probe, whose answer closes it', () => {
  let silent = true;
  return withServer(
    answering(() => (silent ? '' : plainResponse('back'))),
    (server) =>
      withGateway(
        {
          upstream: { endpoints: [{ url: server.url, name: 'only' }], breaker, timeouts, retries: { attempts: 1 } },
          clock: new ManualClock(),
        },
        async (gateway) => {
          for (let i = 0; i < 3; i++) await timeOut(gateway, server);
          equal(standing(gateway)?.breaker?.state, 'open');
          const refused = await gateway.ask(GET);
          assertRefusal(refused, { status: 503, code: 'no_endpoint', close: false });
          equal(refused.field('retry-after'), '30', 'when a probe may pass');
          equal(server.connections.length, 3);
          await gateway.advance(30_000);
          // The probe and another request: only the probe is sent.
          const probe = await gateway.client();
          await probe.send(GET);
          await until('the probe', () => server.connections.length === 4);
          equal(standing(gateway)?.breaker?.state, 'halfOpen');
          equal((await gateway.ask(GET)).status, 503);
          equal(server.connections.length, 4);
          await gateway.advance(1100);
          equal((await probe.read()).status, 504);
          equal(standing(gateway)?.breaker?.state, 'open', 'the probe failed');
          silent = false;
          await gateway.advance(30_000);
          equal((await gateway.ask(GET)).body, 'back');
          equal(standing(gateway)?.breaker?.state, 'closed');
          equal((await gateway.ask(GET)).body, 'back');
          deepEqual(
            gateway.endpoints.map(({ healthy }) => healthy),
            [false, true],
          );
          await gateway.unharmed();
          probe.close();
        },
      ),
  );
});

test('a client that leaves its probe tells nothing: it stays open', () =>
  withServer(
    answering(() => ''),
    (server) =>
      withGateway(
        {
          upstream: { endpoints: [{ url: server.url, name: 'only' }], breaker, timeouts, retries: { attempts: 1 } },
          clock: new ManualClock(),
        },
        async (gateway) => {
          for (let i = 0; i < 3; i++) await timeOut(gateway, server);
          await gateway.advance(30_000);
          const probe = await gateway.client();
          await probe.send(GET);
          await until('the probe', () => standing(gateway)?.breaker?.state === 'halfOpen');
          probe.reset();
          await until('it to be given up', () => standing(gateway)?.breaker?.state === 'open');
          match(standing(gateway)?.breaker?.reason ?? '', /given up/);
          equal((await gateway.ask(GET)).status, 503);
        },
      ),
  ));

test('another rule that refuses the probe opens it anew', () =>
  withServer(
    answering(() => ''),
    (server) => {
      const endpoints = [{ url: server.url, name: 'only' }];
      const upstream = { endpoints, breaker, pool: { connections: 1 } };
      return withGateway({ upstream, clock: new ManualClock() }, async (gateway) => {
        const client = await gateway.client();
        await client.send(GET);
        await server.connection(0);
        gateway.worker.endpoints.setBreaker({ ...OPEN, endpoint: 'only', forMs: 30_000, forced: false });
        await gateway.advance(30_000);
        assertRefusal(await gateway.ask(GET), { status: 503, code: 'overloaded', close: false });
        equal(standing(gateway)?.breaker?.state, 'open');
        equal(standing(gateway)?.breaker?.openUntil, 60_000);
        client.close();
      });
    },
  ));

test('errors of one server send requests to the other; its probe is one of theirs', () => {
  let bad = true;
  return withServer(
    answering(() => (bad ? status(500) : plainResponse('first'))),
    (first) =>
      withServer(serve, (second) => {
        const endpoints = [
          { url: first.url, name: 'first' },
          { url: second.url, name: 'second' },
        ];
        const upstream = {
          balance: 'roundRobin' as const,
          endpoints,
          breaker: { errorRatio: '50%', minRequests: 4, window: '100s', openFor: '10s' },
        };
        return withGateway({ upstream, clock: new ManualClock() }, async (gateway) => {
          const ask = async (count: number) => {
            const seen: number[] = [];
            for (let i = 0; i < count; i++) seen.push((await gateway.ask(GET)).status);
            return seen.filter((code) => code === 500).length;
          };
          equal(await ask(20), 4);
          await gateway.advance(10_000);
          equal(await ask(20), 1, 'one probe');
          bad = false;
          await gateway.advance(10_000);
          equal(await ask(20), 0);
          ok(gateway.ended.slice(-5).some(({ endpoint }) => endpoint === 'first'));
        });
      }),
  );
});

test('row 39: when too few are left, panic uses all; without it none is used', () =>
  withServer(serve, (first) =>
    withServer(serve, async (second) => {
      const endpoints = [
        { url: first.url, name: 'first' },
        { url: second.url, name: 'second' },
      ];
      for (const panicThreshold of ['0%', '50%']) {
        await withGateway({ upstream: { endpoints, panicThreshold } }, async (gateway) => {
          gateway.worker.endpoints.setHealth('main', 'first', false, 'probe failed');
          for (let i = 0; i < 4; i++) equal((await gateway.ask(GET)).status, 200);
          ok(gateway.ended.slice(-4).every(({ endpoint }) => endpoint === 'second'));
          gateway.worker.endpoints.setHealth('main', 'second', false, 'probe failed');
          const used = new Set<string>();
          for (let i = 0; i < 30; i++) {
            equal((await gateway.ask(GET)).status, panicThreshold === '0%' ? 503 : 200);
            used.add(gateway.ended.at(-1)?.endpoint ?? '');
          }
          if (panicThreshold === '0%') return;
          deepEqual([...used].sort(), ['first', 'second']);
          equal(gateway.faults('panic'), 1);
          gateway.worker.endpoints.setBreaker({ ...OPEN, endpoint: 'first', forMs: 0, forced: true });
          for (let i = 0; i < 10; i++) equal((await gateway.ask(GET)).status, 200);
          ok(
            gateway.ended.slice(-10).every(({ endpoint }) => endpoint === 'second'),
            'a breaker is respected',
          );
          gateway.worker.endpoints.setHealth('main', 'first', true, 'probe succeeded');
          gateway.worker.endpoints.setHealth('main', 'second', true, 'probe succeeded');
          ok(gateway.notices.some((text) => text.includes('panic is over')));
        });
      }
    }),
  ));

test('an agent drains, weighs and limits its server', () =>
  withServer(serve, (first) =>
    withServer(
      answering(() => ''),
      (second) => {
        const endpoints = [
          { url: first.url, name: 'first' },
          { url: second.url, name: 'second' },
        ];
        return withGateway({ upstream: { endpoints } }, async (gateway) => {
          const word = { up: true, drained: false, share: 1, maxConnections: Number.POSITIVE_INFINITY };
          gateway.worker.endpoints.setAgent('main', 'second', { ...word, drained: true }, 'agent: drain');
          for (let i = 0; i < 10; i++) equal((await gateway.ask(GET)).status, 200);
          gateway.worker.endpoints.setAgent('main', 'second', { ...word, share: 0 }, 'agent: 0%');
          for (let i = 0; i < 10; i++) equal((await gateway.ask(GET)).status, 200);
          gateway.worker.endpoints.setAgent('main', 'first', { ...word, up: false }, 'agent: down');
          gateway.worker.endpoints.setAgent('main', 'second', { ...word, maxConnections: 1 }, 'agent: maxconn:1');
          const client = await gateway.client();
          await client.send(GET);
          await second.connection(0);
          equal((await gateway.ask(GET)).status, 503, 'full');
          gateway.worker.endpoints.setAgent('main', 'first', word, 'agent: up');
          for (let i = 0; i < 10; i++) equal((await gateway.ask(GET)).status, 200);
          client.close();
        });
      },
    ),
  ));
