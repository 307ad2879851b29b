/** Trying again: by status, with pauses, as the server asks; and the deadline of one try. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { assertRefusal, type InProcessOptions, until, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, rawServer } from '../raw.ts';
import { answering, GET, POST, serve, status } from './play.ts';

type Upstream = Exclude<InProcessOptions['upstream'], string>;
const statuses = [429, 502, 503, 504];
const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n';

const cases: [string, string, string, Upstream['retries'], boolean][] = [
  ['503, GET', GET, status(503), { statuses }, true],
  ['503, POST: nothing was done', POST, status(503), { statuses }, true],
  ['503, chunked POST', CHUNKED, status(503), { statuses }, true],
  ['429, POST, come back later', POST, status(429, 'Retry-After: 60\r\n'), { statuses }, true],
  ['502, GET', GET, status(502), { statuses }, true],
  ['502, POST: it may have been done', POST, status(502), { statuses }, false],
  ['502, POST, nonIdempotent', POST, status(502), { statuses, nonIdempotent: true }, true],
  ['500 is not listed', GET, status(500), { statuses }, false],
  ['500, but the server says so', POST, status(500, 'x-should-retry: true\r\n'), { statuses }, true],
  ['503, but the server says no', GET, status(503, 'x-should-retry: false\r\n'), { statuses }, false],
  ['no statuses', GET, status(503), {}, false],
  ['one attempt', GET, status(503), { statuses, attempts: 1 }, false],
  ['no budget beyond the least', GET, status(503), { statuses, budget: '0%' }, true],
];

for (const [title, request, answer, retries = {}, again] of cases) {
  test(`statuses: ${title}: ${again ? 'tried elsewhere' : 'the answer is the client’s'}`, () =>
    withServer(
      answering(() => answer),
      (bad) =>
        withServer(serve, (good) => {
          const endpoints = [{ url: bad.url, name: 'bad' }, { url: good.url }];
          return withGateway(
            { upstream: { balance: 'roundRobin', endpoints, retries, pool: { idleTimeout: '1h' } } },
            async (gateway) => {
              const seen: number[] = [];
              for (let i = 0; i < 2; i++) seen.push((await gateway.ask(request)).status);
              const code = Number(answer.slice(9, 12));
              deepEqual(seen.sort(), again ? [200, 200] : [200, code].sort());
              deepEqual(gateway.ended.map(({ tries }) => tries).sort(), again ? [1, 2] : [1, 1]);
              equal(bad.connections.length, 1);
              // The next one goes there on the same connection: an answer that is thrown away is read to its end.
              const main = gateway.worker.snapshot.upstreams.get('main');
              await until('the connection to be kept', () => main?.endpoints[0]?.idle === 1);
              await gateway.unharmed();
            },
          );
        }),
    ));
}

test('one server alone: a pause as it asks, if that is not too long; else its answer is the client’s', async () => {
  const clock = new ManualClock();
  let answer = status(503, 'Retry-After: 1\r\n');
  let asked = 0;
  const server = await rawServer(
    answering(() => {
      asked++;
      return answer;
    }),
  );
  const retries = { statuses, backoff: { max: '2s' } };
  await withGateway({ upstream: { endpoints: [{ url: server.url }], retries }, clock }, async (gateway) => {
    const client = await gateway.client();
    await client.send(POST);
    await until('the first answer', () => gateway.worker.snapshot.upstreams.get('main')?.budget.retrying === 1);
    await gateway.advance(900);
    await gateway.unharmed();
    equal(asked, 1);
    answer = plainResponse('well');
    await gateway.advance(200);
    equal((await client.read()).body, 'well');
    equal(asked, 2);
    answer = status(503, 'Retry-After: 3\r\n');
    await client.send(POST);
    equal((await client.read()).status, 503);
    equal(asked, 3);
    client.close();
  });
  await server.close();
});

test('a client that leaves during the pause is not waited for', async () => {
  const clock = new ManualClock();
  const server = await rawServer(answering(() => status(503, 'Retry-After: 1\r\n')));
  const upstream = { endpoints: [{ url: server.url }], retries: { statuses } };
  await withGateway({ upstream, clock }, async (gateway) => {
    const client = await gateway.client();
    await client.send(POST);
    const main = gateway.worker.snapshot.upstreams.get('main');
    await until('the pause', () => main?.budget.retrying === 1);
    client.reset();
    await until('its end', () => gateway.ended.length === 1);
    deepEqual([main?.budget.active, main?.budget.retrying], [0, 0]);
    await gateway.advance(2000);
    equal(server.connections.length, 1);
    equal(gateway.ended[0]?.outcome, 'client_aborted');
  });
  await server.close();
});

test('perTry: a silent server is left for another one, long before firstByte', () =>
  withServer(
    answering(() => ''),
    (silent) =>
      withServer(serve, (good) => {
        const upstream: Upstream = {
          balance: 'roundRobin',
          endpoints: [{ url: silent.url }, { url: good.url }],
          timeouts: { perTry: '1s', firstByte: '60s' },
        };
        return withGateway({ upstream, clock: new ManualClock() }, async (gateway) => {
          const client = await gateway.client();
          for (let i = 0; i < 2; i++) await client.send(GET);
          await silent.connection(0);
          await gateway.unharmed();
          await gateway.advance(1100);
          for (let i = 0; i < 2; i++) equal((await client.read()).body, 'good ');
          equal(gateway.faults('first_byte_timeout'), 1);
          client.close();
        });
      }),
  ));

test('perTry: the last try that is too slow is 504', () =>
  withServer(
    answering(() => ''),
    (silent) => {
      const upstream: Upstream = {
        endpoints: [{ url: silent.url }],
        timeouts: { perTry: '1s' },
        retries: { attempts: 1 },
      };
      return withGateway({ upstream, clock: new ManualClock() }, async (gateway) => {
        const client = await gateway.client();
        await client.send(POST);
        await silent.connection(0);
        await gateway.unharmed();
        await gateway.advance(1100);
        const answer = await client.read();
        assertRefusal(answer, { status: 504, code: 'first_byte_timeout', close: false });
        ok(answer.body.includes('timeouts.perTry'), answer.body);
        client.close();
      });
    },
  ));
