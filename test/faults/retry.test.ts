/** Rows 4, 5 and 6 and 39's neighbours: trying elsewhere, how often, and servers that are taken out and come back. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { assertRefusal, type InProcessOptions, until, withGateway, withServer } from '../inprocess.ts';
import { CLOSED_URL, plainResponse, type RawPeer } from '../raw.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody';
const CHUNKED_POST = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n';
type Upstream = Exclude<InProcessOptions['upstream'], string>;

const serve = async (peer: RawPeer) => {
  for (;;) {
    const request = await peer.read();
    await peer.send(plainResponse(`good ${request.body}`));
  }
};
const resetting = async (peer: RawPeer) => {
  await peer.read();
  peer.reset();
};
test('row 4: refused: any method is tried elsewhere', async () => {
  await withServer(serve, (server) =>
    withGateway(
      { upstream: { balance: 'roundRobin', endpoints: [{ url: CLOSED_URL }, { url: server.url }] } },
      async (gateway) => {
        for (const request of [GET, POST, CHUNKED_POST, GET, POST, CHUNKED_POST]) {
          const answer = await gateway.ask(request);
          equal(answer.body, request === GET ? 'good ' : 'good body', answer.raw);
        }
        ok(gateway.faults('upstream_refused') > 0);
        ok(gateway.ended.some(({ tries }) => tries === 2));
        await gateway.unharmed();
      },
    ),
  );
});

for (const [name, request, settings, retried] of [
  ['GET', GET, {}, true],
  ['POST', POST, {}, false],
  ['POST with nonIdempotent', POST, { retries: { nonIdempotent: true } }, true],
  ['chunked POST with nonIdempotent', CHUNKED_POST, { retries: { nonIdempotent: true } }, true],
  ['GET with one attempt', GET, { retries: { attempts: 1 } }, false],
] as const) {
  test(`row 6: reset before the answer: ${name} is ${retried ? 'tried elsewhere' : 'answered 502'}`, () =>
    withServer(resetting, (bad) =>
      withServer(serve, (good) => {
        const endpoints = [{ url: bad.url }, { url: good.url }];
        return withGateway(
          { upstream: { balance: 'roundRobin', endpoints, ...settings } as Upstream },
          async (gateway) => {
            const answers = [await gateway.ask(request), await gateway.ask(request)];
            const statuses = answers.map(({ status }) => status).sort();
            deepEqual(statuses, retried ? [200, 200] : [200, 502]);
            const failed = answers.find(({ status }) => status === 502);
            if (failed !== undefined)
              assertRefusal(failed, {
                status: 502,
                code: 'upstream_reset',
                proxyError: 'connection_terminated',
                close: false,
              });
            equal(gateway.faults('upstream_reset'), 1);
            await gateway.unharmed();
          },
        );
      }),
    ));
}

for (const [replay, tries] of [
  ['64KiB', 1],
  ['1MiB', 3],
] as const) {
  test(`retries.replay ${replay}: a relayed body of 200 kB is sent ${tries} times`, () =>
    withServer(
      async (peer) => {
        await peer.readUntil('x'.repeat(200_000));
        peer.reset();
      },
      (bad) =>
        withGateway(
          { upstream: { endpoints: [{ url: bad.url }], retries: { attempts: 3, replay } } },
          async (gateway) => {
            const body = 'x'.repeat(200_000);
            const answer = await gateway.ask(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${body}`);
            equal(answer.status, 502);
            equal(gateway.ended[0]?.tries, tries);
            equal(bad.connections.length, tries);
          },
        ),
    ));
}

test('a body that is still being sent when its server breaks goes to the next one whole', () =>
  withServer(
    async (peer) => {
      await peer.readUntil('first');
      peer.reset();
    },
    (bad) =>
      withServer(serve, (good) =>
        withGateway(
          { upstream: { balance: 'roundRobin', endpoints: [{ url: bad.url }, { url: good.url }] } },
          async (gateway) => {
            const client = await gateway.client();
            for (let i = 0; i < 2; i++) {
              const tried = gateway.faults('upstream_reset');
              await client.send('PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n');
              if (i === 0) await until('the break', () => gateway.faults('upstream_reset') > tried);
              await client.send('6\r\nsecond\r\n0\r\n\r\n');
              equal((await client.read()).body, 'good firstsecond');
            }
            client.close();
            await gateway.unharmed();
          },
        ),
      ),
  ));

test('ejectFor counts once more with each ejection', async () => {
  const clock = new ManualClock();
  await withServer(serve, (good) => {
    const endpoints = [{ url: CLOSED_URL, name: 'bad' }, { url: good.url }];
    const passive = { consecutiveErrors: 1, ejectFor: '10s' };
    return withGateway({ upstream: { balance: 'roundRobin', endpoints, passive }, clock }, async (gateway) => {
      for (const outFor of [10_000, 20_000, 30_000]) {
        for (let i = 0; i < 2; i++) equal((await gateway.ask(GET)).status, 200);
        equal(gateway.endpoints.at(-1)?.healthy, false);
        await gateway.advance(outFor - 100);
        equal(gateway.endpoints.at(-1)?.healthy, false);
        await gateway.advance(200);
        equal(gateway.endpoints.at(-1)?.healthy, true);
      }
    });
  });
});

test('keep-alive races: a server that closes while it is being asked: GET is tried again, POST is told', () =>
  withServer(
    async (peer, number) => {
      await peer.read();
      await peer.send(plainResponse('first'));
      if (number > 1) return serve(peer);
      // It closes when the second request is on its way.
      await peer.readUntil('HTTP/1.1');
      peer.close();
    },
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        equal((await gateway.ask(GET)).body, 'first');
        equal((await gateway.ask(GET)).body, 'first', 'on a new connection');
        equal(server.connections.length, 2);
        const answer = await gateway.ask(POST);
        assertRefusal(answer, { status: 502, code: 'upstream_reset', close: false });
        await gateway.unharmed();
      }),
  ));

test('passive ejection: out after so many errors, back after ejectFor, then slow start', async () => {
  const clock = new ManualClock();
  let broken = true;
  const sometimes = async (peer: RawPeer) => {
    for (;;) {
      await peer.read();
      if (broken) {
        peer.reset();
        return;
      }
      await peer.send(plainResponse('bad one'));
    }
  };
  await withServer(sometimes, (bad) =>
    withServer(serve, (good) => {
      const endpoints = [
        { url: bad.url, name: 'bad' },
        { url: good.url, name: 'good' },
      ];
      const upstream: Upstream = {
        balance: 'roundRobin',
        endpoints,
        passive: { consecutiveErrors: 3, ejectFor: '10s', maxEjected: '50%' },
        slowStart: '100s',
        retries: { attempts: 1 },
      };
      return withGateway({ upstream, clock }, async (gateway) => {
        const run = async (count: number) => {
          const statuses: number[] = [];
          for (let i = 0; i < count; i++) statuses.push((await gateway.ask(GET)).status);
          return statuses.filter((status) => status === 502).length;
        };
        equal(await run(6), 3);
        equal(await run(10), 0, 'the bad one is out');
        deepEqual(
          gateway.endpoints.map(({ endpoint, healthy }) => [endpoint, healthy]),
          [['bad', false]],
        );
        broken = false;
        await gateway.advance(10_100);
        deepEqual(
          gateway.endpoints.map(({ endpoint, healthy }) => [endpoint, healthy]),
          [
            ['bad', false],
            ['bad', true],
          ],
        );
        const toBad = async (count: number) => {
          const before = gateway.ended.length;
          await run(count);
          return gateway.ended.slice(before).filter(({ endpoint }) => endpoint === 'bad').length;
        };
        ok((await toBad(40)) <= 8, 'slow start: a small share at first');
        await gateway.advance(110_000);
        equal(await toBad(40), 20, 'its full share in the end');
        await gateway.unharmed();
      });
    }),
  );
});

test('maxEjected: one server alone is never taken out', async () => {
  await withGateway(
    { upstream: { endpoints: [{ url: CLOSED_URL }], passive: { consecutiveErrors: 1 }, retries: { attempts: 1 } } },
    async (gateway) => {
      for (let i = 0; i < 5; i++) equal((await gateway.ask(GET)).status, 502);
      deepEqual(gateway.endpoints, []);
    },
  );
});

test('no server may be used: 503 with Retry-After', () =>
  withServer(serve, (server) =>
    withGateway({ upstream: { endpoints: [{ url: server.url, name: 'only' }] } }, async (gateway) => {
      gateway.worker.endpoints.setHealth('main', 'only', false, 'probe failed');
      const answer = await gateway.ask(GET);
      assertRefusal(answer, {
        status: 503,
        code: 'no_endpoint',
        proxyError: 'destination_unavailable',
        close: false,
      });
      ok(answer.field('retry-after'));
      gateway.worker.endpoints.setHealth('main', 'only', true, 'probe succeeded');
      equal((await gateway.ask(GET)).status, 200);
    }),
  ));
