/** Hedging: a request that may be sent twice is, when its answer is slow; the first answer counts. */
import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { type InProcess, type InProcessOptions, until, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawServer } from '../raw.ts';
import { GET, POST, status } from './play.ts';

type Upstream = Exclude<InProcessOptions['upstream'], string>;
const KEYED = POST.replace('\r\n\r\n', '\r\nIdempotency-Key: k1\r\n\r\n');

/** Two servers that a test plays, and a gateway that hedges after a second. */
const withTwo = (
  settings: Partial<Upstream>,
  use: (gateway: InProcess, first: RawServer, second: RawServer) => Promise<void>,
) =>
  withServer(
    () => {},
    (a) =>
      withServer(
        () => {},
        (b) => {
          const upstream: Upstream = {
            balance: 'roundRobin',
            endpoints: [
              { url: a.url, name: 'a' },
              { url: b.url, name: 'b' },
            ],
            hedging: { after: '1s' },
            ...settings,
          };
          return withGateway({ upstream, clock: new ManualClock() }, (gateway) => use(gateway, a, b));
        },
      ),
  );

for (const [title, request] of [
  ['GET', GET],
  ['POST with an idempotency key', KEYED],
] as const) {
  for (const winner of ['first', 'second'] as const) {
    test(`${title}: the ${winner} sending answers first; the other one is let go`, () =>
      withTwo({}, async (gateway, a, b) => {
        const client = await gateway.client();
        await client.send(request);
        const one = await a.connection(0);
        equal((await one.read()).body, request === GET ? '' : 'body');
        await gateway.advance(900);
        equal(b.connections.length, 0);
        await gateway.advance(200);
        const two = await b.connection(0);
        equal((await two.read()).body, request === GET ? '' : 'body');
        const [fast, slow] = winner === 'first' ? [one, two] : [two, one];
        await fast.send(plainResponse(winner));
        equal((await client.read()).body, winner);
        await slow.readToEnd();
        const main = gateway.worker.snapshot.upstreams.get('main');
        await until('everything to be given back', () => main?.budget.active === 0 && main.budget.retrying === 0);
        ok(main?.endpoints.every(({ inflight }) => inflight === 0));
        equal(gateway.ended[0]?.tries, 2);
        equal(gateway.ended[0]?.endpoint, winner === 'first' ? 'a' : 'b');
        equal(main?.endpoints.filter(({ idle }) => idle === 1).length, 1);
        client.close();
      }));
  }
}

test('what does not declare itself idempotent is sent once', () =>
  withTwo({}, async (gateway, a, b) => {
    const client = await gateway.client();
    await client.send(POST);
    const one = await a.connection(0);
    await one.read();
    await gateway.advance(5000);
    equal(b.connections.length, 0);
    await one.send(plainResponse('slow'));
    equal((await client.read()).body, 'slow');
    client.close();
  }));

test('all: everything may be sent twice; a second sending that fails is forgotten', () =>
  withTwo({ hedging: { after: '1s', all: true } }, async (gateway, a, b) => {
    const client = await gateway.client();
    await client.send(POST);
    const one = await a.connection(0);
    await one.read();
    await gateway.advance(1000);
    const two = await b.connection(0);
    await two.read();
    await two.send(status(500));
    await two.readToEnd();
    await one.send(plainResponse('slow'));
    equal((await client.read()).body, 'slow');
    client.close();
  }));

test('the first sending fails while the second is under way: the second goes on', () =>
  withTwo({}, async (gateway, a, b) => {
    const client = await gateway.client();
    await client.send(GET);
    const one = await a.connection(0);
    await one.read();
    await gateway.advance(1000);
    const two = await b.connection(0);
    await two.read();
    one.reset();
    await until('the reset', () => gateway.faults('upstream_reset') === 1);
    await two.send(plainResponse('second'));
    equal((await client.read()).body, 'second');
    client.close();
  }));

test('a client that leaves ends both', () =>
  withTwo({}, async (gateway, a, b) => {
    const client = await gateway.client();
    await client.send(GET);
    const one = await a.connection(0);
    await gateway.unharmed();
    await gateway.advance(1000);
    const two = await b.connection(0);
    client.reset();
    await one.readToEnd();
    await two.readToEnd();
    const main = gateway.worker.snapshot.upstreams.get('main');
    ok(main?.endpoints.every(({ inflight }) => inflight === 0) && main.budget.retrying === 0);
  }));
