/** Injected faults on real sockets: each does what it says to whom it says, and harms nobody else. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { startGateway } from '../gateway.ts';
import { assertRefusal, type InProcessOptions, until, withGateway, withServer } from '../inprocess.ts';
import { runCli } from '../program.ts';
import { plainResponse, type RawPeer, rawServer } from '../raw.ts';

const HIT = 'GET / HTTP/1.1\r\nHost: a\r\nx-tenant: blue\r\n\r\n';
const SPARED = 'GET / HTTP/1.1\r\nHost: a\r\nx-tenant: red\r\n\r\n';
const BODY = 'x'.repeat(1000);

const answering = (body: string) => async (peer: RawPeer) => {
  for (;;) {
    await peer.read();
    await peer.send(plainResponse(body));
  }
};

const options = (upstream: string, fault: object): InProcessOptions => ({
  upstream,
  chaos: { rules: [{ name: 'f', headers: { 'X-Tenant': 'blue' }, ...fault }] },
});

test('abort with a status, in the protocol of the client; others are spared', async () => {
  await withServer(answering('fine'), (server) =>
    withGateway(options(server.url, { abort: 529 }), async (gateway) => {
      const answer = await gateway.ask(HIT);
      assertRefusal(answer, {
        status: 529,
        code: 'fault_injected',
        proxyError: 'proxy_internal_response',
        close: false,
      });
      match(answer.body, /chaos\.f/);
      equal((await gateway.ask(SPARED)).body, 'fine');
      deepEqual(gateway.counted(), { chaos_abort: 1 });
      await gateway.unharmed();
    }),
  );
});

test('abort of a chat completion has the shape that its client knows', async () => {
  await withServer(answering('{}'), (server) =>
    withGateway(
      {
        upstream: { protocol: 'openai', endpoints: [{ url: server.url }] },
        chaos: { rules: [{ name: 'f', route: 'all', abort: 503 }] },
      },
      async (gateway) => {
        const body = '{"model":"m","messages":[]}';
        const answer = await gateway.ask(
          `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        equal(answer.status, 503);
        equal((JSON.parse(answer.body) as { error: { type: string } }).error.type, 'service_unavailable_error');
      },
    ),
  );
});

test('delay: forwarded when its time has come, not before', async () => {
  const clock = new ManualClock();
  await withServer(answering('late'), (server) =>
    withGateway({ ...options(server.url, { delay: '2s' }), clock }, async (gateway) => {
      const client = await gateway.client();
      await client.send(HIT);
      await until('the delay', () => gateway.faults('chaos_delay') === 1);
      await gateway.advance(1999);
      equal(server.connections.length, 0);
      await gateway.advance(1);
      equal((await client.read()).body, 'late');
      client.close();
    }),
  );
});

test('delay: a client that leaves while it waits is let go, and nothing is forwarded', async () => {
  const clock = new ManualClock();
  await withServer(answering('late'), (server) =>
    withGateway({ ...options(server.url, { delay: '2s', abort: 500 }), clock }, async (gateway) => {
      for (const leave of ['reset', 'close'] as const) {
        const client = await gateway.client();
        await client.send(HIT);
        await until('the delay', () => gateway.faults('chaos_delay') > gateway.ended.length);
        client[leave]();
        // A client that closed is only found gone by what is written to it.
        const before = gateway.ended.length;
        if (leave === 'close') await gateway.advance(1000);
        if (gateway.ended.length === before && leave === 'reset')
          await until('its end', () => gateway.ended.length > before);
        await gateway.advance(2000);
        await until('its end', () => gateway.ended.length > before);
      }
      equal(gateway.ended[0]?.outcome, 'client_aborted');
      equal(server.connections.length, 0);
    }),
  );
});

test('delay with a body that comes meanwhile', async () => {
  const clock = new ManualClock();
  await withServer(
    async (peer) => {
      const request = await peer.read();
      await peer.send(plainResponse(request.body));
    },
    (server) =>
      withGateway({ ...options(server.url, { delay: '2s' }), clock }, async (gateway) => {
        const client = await gateway.client();
        await client.send('POST / HTTP/1.1\r\nHost: a\r\nx-tenant: blue\r\nContent-Length: 6\r\n\r\nabc');
        await until('the delay', () => gateway.faults('chaos_delay') === 1);
        await client.send('def');
        await gateway.advance(2000);
        equal((await client.read()).body, 'abcdef');
        client.close();
      }),
  );
});

for (const reset of [0, 1, 500, 1000]) {
  test(`reset after ${reset} bytes: cut visibly, counted, and the next request is answered`, async () => {
    await withServer(answering(BODY), (server) =>
      withGateway(options(server.url, { reset }), async (gateway) => {
        const client = await gateway.client();
        await client.send(HIT);
        await client.readToEnd();
        const [head = '', body = ''] = client.received.split('\r\n\r\n');
        match(head, /Content-Length: 1000/i);
        ok(body.length === reset, `${body.length} bytes of the body`);
        await until('its end', () => gateway.ended.length === 1);
        equal((await gateway.ask(SPARED)).body, BODY);
        await gateway.unharmed();
      }),
    );
  });
}

test('reset of a stream: no clean end, and the server is told', async () => {
  await withServer(
    async (peer) => {
      await peer.read();
      await peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n');
    },
    (server) =>
      withGateway(options(server.url, { reset: 3 }), async (gateway) => {
        const client = await gateway.client();
        await client.send(HIT);
        await client.readToEnd();
        match(client.received, /\r\n3\r\nfou\r\n$/);
        await (await server.connection(0)).readToEnd();
        equal(gateway.ended[0]?.code, 'fault_injected');
      }),
  );
});

test('malformed: the framing is right and the bytes are not', async () => {
  await withServer(answering('{"a":"0123456789"}'), (server) =>
    withGateway(options(server.url, { malformed: true }), async (gateway) => {
      const { body, status } = await gateway.ask(HIT);
      equal(status, 200);
      equal(body.length, 18);
      match(body, /^\{"a":"012\xff+$/);
    }),
  );
});

test('throughput: so many bytes a second, in order, and a clean end', async () => {
  const clock = new ManualClock();
  const text = Array.from({ length: 200 }, (_, i) => `${i} `).join('');
  await withServer(answering(text), (server) =>
    withGateway({ ...options(server.url, { throughput: '100B' }), clock }, async (gateway) => {
      const client = await gateway.client();
      await client.send(HIT);
      await client.readUntil(/\r\n\r\n/);
      await until('the answer', () => gateway.faults('chaos_throughput') === 1);
      await gateway.unharmed();
      const had = () => client.received.slice(client.received.indexOf('\r\n\r\n') + 4).length;
      for (let second = 1; second <= 3; second++) {
        await gateway.advance(1000);
        await until(`${second} s of it`, () => had() >= second * 95);
        ok(had() <= second * 100 + 10, `${had()} bytes after ${second} s`);
      }
      await gateway.advance(10_000);
      equal((await client.read()).body, text);
      await client.send(SPARED);
      equal((await client.read()).body, text);
      client.close();
    }),
  );
});

test('throughput: a client that leaves in the middle', async () => {
  const clock = new ManualClock();
  await withServer(answering(BODY), (server) =>
    withGateway({ ...options(server.url, { throughput: '100B' }), clock }, async (gateway) => {
      const client = await gateway.client();
      await client.send(HIT);
      await client.readUntil(/\r\n\r\n/);
      await gateway.advance(1000);
      client.reset();
      await gateway.unharmed();
      await gateway.advance(60_000);
      await gateway.unharmed();
    }),
  );
});

test('by header: only where it is switched on', async () => {
  await withServer(answering('fine'), async (server) => {
    const asks = 'GET / HTTP/1.1\r\nHost: a\r\nx-gatehouse-fault-abort: 418\r\n\r\n';
    await withGateway({ upstream: server.url, chaos: { byHeader: true } }, async (gateway) => {
      equal((await gateway.ask(asks)).status, 418);
    });
    await withGateway({ upstream: server.url }, async (gateway) => {
      equal((await gateway.ask(asks)).body, 'fine');
    });
  });
});

test('gatehouse chaos: on at run time for every worker, shown, and off by itself', { timeout: 180_000 }, async () => {
  const server = await rawServer(answering('fine'));
  const gateway = await startGateway({
    workers: 2,
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { main: { endpoints: [{ url: server.url }] } },
    routes: [{ name: 'all', match: {}, upstream: 'main' }],
  });
  const chaos = async (...args: string[]) => {
    const program = runCli(['chaos', ...args, '--admin', gateway.adminUrl]);
    const code = await new Promise((done) => program.child.once('close', done));
    return { code, logs: program.logs };
  };
  const statuses = async () => {
    const found = new Set<number>();
    for (let i = 0; i < 20; i++) {
      found.add((await fetch(gateway.url, { headers: { connection: 'close' } })).status);
    }
    return [...found].sort();
  };
  try {
    const forgotten = await chaos('start', '--abort', '503');
    equal(forgotten.code, 1);
    match(forgotten.logs, /--for/);
    match((await chaos('start', '--for', '2h', '--abort', '503')).logs, /at most 1h/);
    match((await chaos('start', '--for', '5m', '--abort', '503', '--route', 'al')).logs, /no route al/);
    deepEqual(await statuses(), [200]);

    const started = await chaos(
      'start',
      '--for',
      '5m',
      '--name',
      'five',
      '--abort',
      '503',
      '--header',
      'connection=close',
    );
    match(started.logs, /five: abort with 503 for 100% of every route, connection: close; ends in 5m/);
    deepEqual(await statuses(), [503]);
    match((await chaos('list')).logs, /five: .*ends in/);
    const status = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { chaos: { name: string }[] };
    equal(status.chaos[0]?.name, 'five');
    match(gateway.logs, /fault five is on for 5m/);

    match((await chaos('stop', 'five')).logs, /stopped: 1/);
    deepEqual(await statuses(), [200]);
    equal((await chaos('stop', 'five')).code, 1);

    await chaos('start', '--for', '1s', '--abort', '503');
    await gateway.waitFor(/fault manual is off: its time is over/);
    deepEqual(await statuses(), [200]);
    match((await chaos('list')).logs, /no faults/);

    const url = `${gateway.adminUrl}/api/chaos`;
    const body = JSON.stringify({ for: '5m', abort: 503 });
    equal((await fetch(url, { method: 'POST', body })).status, 415);
    const json = { 'content-type': 'application/json' };
    equal((await fetch(url, { method: 'POST', body: '{', headers: json })).status, 400);
    equal(
      (await fetch(url, { method: 'POST', body, headers: { ...json, origin: 'http://evil.example' } })).status,
      403,
    );
    equal((await fetch(url, { method: 'PUT', body, headers: json })).headers.get('allow'), 'GET, HEAD, POST, DELETE');
  } finally {
    await gateway.stop();
    await server.close();
  }
});
