/** The retry budget, when many requests lose their servers at once. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { until, withGateway, withServer } from '../inprocess.ts';
import { CLOSED_URL, plainResponse } from '../raw.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody';

test('retries.budget: of many failures at once only a share is tried again', () => {
  const COUNT = 40;
  return withServer(
    () => {},
    (server) =>
      withGateway(
        {
          upstream: {
            endpoints: [{ url: server.url }],
            retries: { attempts: 2, budget: '20%' },
            passive: { consecutiveErrors: 1_000_000 },
          },
        },
        async (gateway) => {
          const clients = await Promise.all(Array.from({ length: COUNT }, () => gateway.client()));
          for (const client of clients) await client.send(GET);
          await server.connection(COUNT - 1);
          for (const peer of server.connections) await peer.read();
          // All at once, and what is tried again stays under way.
          for (const peer of server.connections.slice()) peer.reset();
          const allowed = COUNT * 0.2;
          await until('the refusals', () => gateway.ended.length >= COUNT - allowed);
          await server.connection(COUNT + allowed - 1);
          await gateway.unharmed();
          equal(gateway.ended.length, COUNT - allowed);
          equal(server.connections.length, COUNT + allowed);
          for (const peer of server.connections.slice(COUNT)) await peer.send(plainResponse());
          const answers = await Promise.all(clients.map((client) => client.read()));
          equal(answers.filter(({ status }) => status === 200).length, allowed);
          for (const client of clients) client.close();
        },
      ),
  );
});

test('retries.budget: who finds no connection is tried elsewhere, however many they are', async () => {
  const COUNT = 40;
  await withServer(
    () => {},
    (server) =>
      withGateway(
        {
          upstream: {
            balance: 'roundRobin',
            endpoints: [{ url: CLOSED_URL }, { url: server.url }],
            retries: { attempts: 2, budget: '0%' },
            passive: { consecutiveErrors: 1_000_000, consecutiveGatewayErrors: 0 },
          },
        },
        async (gateway) => {
          const clients = await Promise.all(Array.from({ length: COUNT }, () => gateway.client()));
          for (const client of clients) await client.send(POST);
          // None is answered before all are there: they are under way together.
          await server.connection(COUNT - 1);
          for (const peer of server.connections) await peer.send(plainResponse());
          for (const client of clients) equal((await client.read()).status, 200);
          equal(gateway.ended.filter(({ tries }) => tries === 2).length, COUNT / 2);
          equal(gateway.worker.snapshot.upstreams.get('main')?.budget.retrying, 0);
          for (const client of clients) client.close();
          await gateway.unharmed();
        },
      ),
  );
});

test('retries.budget: what went well has paid for a server that dies with all its requests', () => {
  const COUNT = 15;
  return withServer(
    () => {},
    (server) =>
      withGateway(
        {
          upstream: {
            endpoints: [{ url: server.url }],
            retries: { attempts: 2, budget: '20%' },
            passive: { consecutiveErrors: 1_000_000 },
          },
        },
        async (gateway) => {
          const main = gateway.worker.snapshot.upstreams.get('main');
          // Three retries are always allowed; the other twelve have to be saved: sixty requests at 20 %.
          for (let i = 0; i < 61; i++) main?.budget.ended(false, true);
          if (main) main.budget.active = 0;
          const clients = await Promise.all(Array.from({ length: COUNT }, () => gateway.client()));
          for (const client of clients) await client.send(GET);
          await server.connection(COUNT - 1);
          for (const peer of server.connections) await peer.read();
          for (const peer of server.connections.slice()) peer.reset();
          await server.connection(2 * COUNT - 1);
          for (const peer of server.connections.slice(COUNT)) await peer.send(plainResponse());
          for (const client of clients) equal((await client.read()).status, 200);
          equal(main?.budget.retrying, 0);
          for (const client of clients) client.close();
          await gateway.unharmed();
        },
      ),
  );
});
