/** Limits through an upgrade: both processes serve for a while, and whoever meets the old one is counted as well. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startGateway } from '../gateway.ts';
import { startEcho } from '../traffic.ts';

/** Keep-alive clients, each of whose requests has a key that was never seen before; some have one that all share. */
class Clients {
  readonly statuses: Record<number, number> = {};
  readonly shared: Record<number, number> = {};
  readonly lost: string[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #running: Promise<void>[];
  #calls = 0;
  #over = false;

  constructor(url: string, clients: number) {
    this.#running = Array.from({ length: clients }, async () => {
      while (!this.#over) {
        await this.#call(url, this.#calls++);
        await setTimeout(5);
      }
    });
  }

  async #call(url: string, n: number): Promise<void> {
    const shared = n % 5 === 0;
    const headers = { 'x-q': shared ? 'shared' : `new-${n}` };
    try {
      const sent = request(`${url}/${shared ? 'tight' : 'echo'}/${n}`, { agent: this.#agent, headers });
      sent.end();
      const [answer] = await once(sent, 'response');
      let text = '';
      for await (const part of answer.setEncoding('utf8')) text += part;
      const into = shared ? this.shared : this.statuses;
      into[answer.statusCode] = (into[answer.statusCode] ?? 0) + 1;
      if (answer.statusCode >= 500) this.lost.push(text);
    } catch (error) {
      this.lost.push(String(error));
    }
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
  }
}

test('keys that nobody has counted yet pass all through an upgrade, and limits hold', {
  timeout: 180_000,
}, async (t) => {
  const echo = await startEcho();
  t.after(() => echo.close());
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 2,
    drainTimeout: '20s',
    upstreams: { one: { endpoints: [{ url: echo.url }] } },
    routes: [
      {
        name: 'tight',
        match: { path: '/tight/*' },
        rewrite: { path: '/echo/*' },
        upstream: 'one',
        limits: [{ name: 'twenty', key: 'header:x-q', requests: '20/hour' }],
      },
      {
        name: 'all',
        upstream: 'one',
        limits: [
          { name: 'once', key: 'header:x-q', requests: '1/min' },
          { name: 'many', key: 'header:x-q', requests: '1000/min' },
          { name: 'day', key: 'header:x-q', requests: '2/day', window: 'calendar' },
          { name: 'places', key: 'header:x-q', concurrency: 1 },
          { name: 'burst', key: 'header:x-q', requests: '60/min', burst: 2 },
          { name: 'watched', key: 'header:x-q', requests: '7/min', mode: 'observe' },
          { name: 'volume', key: 'header:x-q', bytes: '1MB/min' },
        ],
      },
    ],
  });
  const old = gateway.child.pid as number;
  const successor = () => Number(/process (\d+) has taken over/.exec(gateway.logs)?.[1] ?? 0);
  t.after(async () => {
    if (successor() > 0) process.kill(successor(), 'SIGTERM');
    await gateway.stop();
  });
  const clients = new Clients(gateway.url, 4);
  const answered = async (more: number) => {
    const before = clients.statuses[200] ?? 0;
    while ((clients.statuses[200] ?? 0) < before + more && clients.lost.length < 20) await setTimeout(20);
  };
  await answered(30);
  process.kill(old, 'SIGUSR1');
  await gateway.waitFor(/has taken over/);
  while (gateway.child.exitCode === null && gateway.child.signalCode === null) await setTimeout(50);
  await answered(30);
  await clients.stop();
  equal(clients.lost.length, 0, clients.lost.slice(0, 3).join('\n'));
  deepEqual(Object.keys(clients.statuses), ['200']);
  const passed = clients.shared[200] ?? 0;
  ok(passed <= 20, `${passed} of 20`);
  deepEqual(
    Object.keys(clients.shared).filter((status) => status !== '200' && status !== '429'),
    [],
  );
});
