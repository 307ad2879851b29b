/** What is shared by the workers of a real gateway: breakers, their one probe, what operators force, what agents say. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Gateway, startGateway } from '../gateway.ts';
import { exchange, plainResponse, rawServer } from '../raw.ts';
import { answering, GET, status } from './play.ts';

interface Endpoint {
  name: string;
  breaker: string;
  breakerForced?: boolean;
  breakerReason?: string;
  agent?: string;
}

const endpointsOf = async (gateway: Gateway): Promise<Endpoint[]> => {
  const response = await fetch(`${gateway.adminUrl}/api/status`);
  const body = (await response.json()) as { upstreams: { endpoints: Endpoint[] }[] };
  return body.upstreams.flatMap(({ endpoints }) => endpoints);
};

/** Looks again and again until it holds. */
async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited for ${what}`);
    await setTimeout(20);
  }
}

const settings = (url: string, more: object = {}) => ({
  workers: 2,
  listeners: { public: { address: '127.0.0.1:0' } },
  upstreams: { main: { endpoints: [{ url, name: 'e' }], ...more } },
  routes: [{ name: 'all', match: {}, upstream: 'main' }],
});

const OPEN_FOR_MS = 300;
/** How long a request waits for the decision whether it is the probe, at least: after that it is refused. */
const DECISION_MS = 240;

test('the first request after openFor is the probe, however seldom requests come', { timeout: 180_000 }, async () => {
  let broken = true;
  const server = await rawServer(answering(() => (broken ? status(500) : plainResponse('well'))));
  const gateway = await startGateway(
    settings(server.url, { breaker: { consecutiveErrors: 1, openFor: `${OPEN_FOR_MS}ms` } }),
  );
  const ask = async () => (await exchange(gateway.port, GET)).status;
  const json = async (path: string) => (await fetch(`${gateway.adminUrl}${path}`)).json();
  const standing = async () =>
    ((await json('/api/breakers')) as { breakers: { state: string; forMs: number }[] }).breakers[0];
  /** Resolves when the time of the open breaker is over, for the supervisor and for every worker. */
  const due = async () => {
    await eventually('the supervisor to know', async () => (await standing())?.state === 'open');
    // What workers are told they take in order: who has this configuration has heard of the breaker.
    const reloaded = await fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST' });
    const { generation } = (await reloaded.json()) as { generation: number };
    await eventually('the workers to know', async () => {
      const { workers } = (await json('/api/status')) as { workers: { generation: number }[] };
      return workers.every((worker) => worker.generation === generation);
    });
    await setTimeout(OPEN_FOR_MS + 1);
    await eventually('it to be due', async () => (await standing())?.forMs === 0);
  };
  /** The first request after that; undefined where the supervisor was too late to say that it is the probe. */
  const probe = async () => {
    await due();
    const asked = performance.now();
    const code = await ask();
    if (code !== 503) return code;
    ok(performance.now() - asked >= DECISION_MS, 'refused without having asked whether it is the probe');
    // The right to send it has come by now: it is used up.
    await eventually('the probe', async () => (await ask()) !== 503);
    return undefined;
  };
  try {
    equal(await ask(), 500);
    for (let rounds = 0; rounds < 3; ) {
      const code = await probe();
      if (code === undefined) continue;
      equal(code, 500, 'a probe that fails is an answer, not a refusal');
      rounds++;
    }
    broken = false;
    equal((await probe()) ?? 200, 200);
  } finally {
    await gateway.stop();
    await server.close();
  }
});

test('one worker opens the breaker, all keep away; one probe in all; what is forced stays', {
  timeout: 180_000,
}, async () => {
  let broken = true;
  let asked = 0;
  const server = await rawServer(
    answering(() => {
      asked++;
      return broken ? status(500) : plainResponse('well');
    }),
  );
  const gateway = await startGateway(settings(server.url, { breaker: { consecutiveErrors: 1, openFor: '1s' } }));
  const ask = async () => (await exchange(gateway.port, GET)).status;
  try {
    equal(await ask(), 500);
    await eventually('all to know', async () => (await endpointsOf(gateway))[0]?.breaker === 'open');
    match((await endpointsOf(gateway))[0]?.breakerReason ?? '', /1 errors in a row/);
    // Each new connection may meet another worker.
    await eventually('both workers to keep away', async () => {
      const all = await Promise.all(Array.from({ length: 8 }, ask));
      return all.every((code) => code === 503);
    });
    ok((await gateway.metricReaches('gatehouse_upstream_breaker_state{endpoint="e"}', 2)) >= 2);
    const before = asked;
    const from = performance.now();
    await eventually('a probe', async () => {
      await Promise.all(Array.from({ length: 8 }, ask));
      return asked > before;
    });
    // One when its time is over, and one more each second that passes.
    const most = 1 + Math.floor((performance.now() - from) / 1000);
    ok(asked - before <= most, `${asked - before} probes of 1 s each, not ${most}`);
    broken = false;
    await eventually('it to close', async () => (await ask()) === 200);
    await eventually('all to know', async () => {
      const all = await Promise.all(Array.from({ length: 8 }, ask));
      return all.every((code) => code === 200);
    });
    await eventually('the supervisor to know', async () => (await endpointsOf(gateway))[0]?.breaker === 'closed');

    const force = (state: string, endpoint = 'e') =>
      fetch(`${gateway.adminUrl}/api/breakers?upstream=main&endpoint=${endpoint}&state=${state}`, { method: 'POST' });
    equal((await force('open')).status, 200);
    await eventually('all to keep away', async () => {
      const all = await Promise.all(Array.from({ length: 8 }, ask));
      return all.every((code) => code === 503);
    });
    equal((await endpointsOf(gateway))[0]?.breakerForced, true);
    // A worker that starts anew keeps to it as well.
    const pids = ((await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { workers: { pid: number }[] })
      .workers;
    process.kill(pids[0]?.pid as number, 'SIGKILL');
    await gateway.waitFor(/it is replaced/);
    await eventually('the new worker', async () => {
      const all = await Promise.all(Array.from({ length: 8 }, () => ask().catch(() => 0)));
      return all.every((code) => code === 503);
    });
    equal((await force('auto')).status, 200);
    await eventually('it to serve', async () => {
      const all = await Promise.all(Array.from({ length: 8 }, ask));
      return all.every((code) => code === 200);
    });
    equal((await force('ajar')).status, 400);
    equal((await force('open', 'nobody')).status, 404);
    const foreign = { method: 'POST', headers: { origin: 'http://evil.example' } };
    equal((await fetch(`${gateway.adminUrl}/api/breakers?state=open`, foreign)).status, 403);
    await eventually('nothing to be left', async () => {
      const list = (await (await fetch(`${gateway.adminUrl}/api/breakers`)).json()) as { breakers: unknown[] };
      return list.breakers.length === 0;
    });
  } finally {
    await gateway.stop();
    await server.close();
  }
});

test('what an agent says reaches all workers', { timeout: 180_000 }, async () => {
  let says = 'ready\n';
  const agent = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(says);
  });
  agent.listen(0, '127.0.0.1');
  await once(agent, 'listening');
  const { port } = agent.address() as AddressInfo;
  const server = await rawServer(answering(() => plainResponse('well')));
  const gateway = await startGateway(settings(server.url, { agent: { port, interval: '100ms', timeout: '60s' } }));
  const all = () => Promise.all(Array.from({ length: 8 }, async () => (await exchange(gateway.port, GET)).status));
  try {
    deepEqual(new Set(await all()), new Set([200]));
    says = 'drain #for the night\n';
    await eventually('it to drain', async () => (await all()).every((code) => code === 503));
    equal((await endpointsOf(gateway))[0]?.agent, 'agent: drain #for the night');
    says = 'ready up 50%\n';
    await eventually('it to serve', async () => (await all()).every((code) => code === 200));
  } finally {
    await gateway.stop();
    await server.close();
    agent.close();
  }
});
