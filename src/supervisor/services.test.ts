import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { Channel, type Port } from './channel.ts';
import { TO_SUPERVISOR, type TopicPage, type ToSupervisor, type ToWorker } from './messages.ts';
import { Seeder } from './seed.ts';
import { Services, Supervisor } from './supervisor.ts';

const entry = fileURLToPath(new URL('./standin.test.worker.js', import.meta.url));

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((done) => setTimeout(done, 5));
}

test('a worker has every topic whole before it listens, hears each change, and gets its questions answered', {
  timeout: 180_000,
}, async (t) => {
  const services = new Services();
  const known = new Map([...Array(50).keys()].map((i) => [`k${i}`, i]));
  services.publish('numbers', function* () {
    for (const [key, value] of known) yield [[key, value]];
  });
  const asked: unknown[] = [];
  services.provide('double', (payload) => {
    asked.push(payload);
    if (payload === 13) throw new Error('thirteen is refused');
    return (payload as number) * 2;
  });
  const logs: string[] = [];
  const standin = { topic: 'numbers', service: 'double' };
  const config = { listeners: { public: { address: '127.0.0.1:0' } }, upstreams: {}, standin };
  const supervisor = new Supervisor({
    clock: systemClock,
    events: new Events(),
    program: { entry },
    services,
    config,
    files: {},
    workers: () => 2,
    load: async () => ({ ok: true, config, files: {} }),
    log: (_, lines) => logs.push(lines.toString()) > 0,
    metrics: () => {},
    gone: () => {},
  });
  t.after(() => supervisor.kill());
  await supervisor.start();
  const said = () => logs.join('').trim().split('\n');
  await until(() => said().filter((line) => line === 'listens knowing 50').length === 2);
  known.set('k50', 50);
  services.push('numbers', ['k50', 50]);
  await until(() => said().filter((line) => line === 'knows 51').length === 2);
  await until(() => said().filter((line) => line === 'double: 42, thirteen is refused').length === 2);
  assert.equal(asked.length, 4);
  process.kill(supervisor.status().workers[0]!.pid, 'SIGKILL');
  await until(() => said().includes('listens knowing 51'));

  // A worker that is stopped has not taken a change; it has, once it goes on; nobody waits for one that has died.
  await until(() => supervisor.status().workers.filter(({ state }) => state === 'ready').length === 2);
  const [one, two] = supervisor.status().workers.map(({ pid }) => pid) as [number, number];
  assert.equal(await services.confirm('numbers', 60_000), 0);
  process.kill(one, 'SIGSTOP');
  services.push('numbers', ['k51', 51]);
  // The other one takes its time, too, on a busy machine; the stopped one never does.
  let missing = await services.confirm('numbers', 200);
  while (missing > 1) missing = await services.confirm('numbers', 200);
  assert.equal(missing, 1);
  const both = services.confirm('numbers', 60_000);
  process.kill(one, 'SIGCONT');
  assert.equal(await both, 0);
  process.kill(two, 'SIGSTOP');
  const left = services.confirm('numbers', 60_000);
  process.kill(two, 'SIGKILL');
  assert.equal(await left, 0);
});

test('a confirmation waits for what a worker that fell behind is told again', async () => {
  const services = new Services();
  services.publish('numbers', () => ['all']);
  const port = new SlowPort();
  const channel = new Channel<ToWorker, ToSupervisor>(port, TO_SUPERVISOR, {
    message() {},
    trouble: assert.fail,
    caughtUp: () => seeder.caughtUp(),
  });
  const seeder = new Seeder(channel);
  const seeded = seeder.seed(services);
  await port.take();
  await seeded;
  for (let i = 0; i < 70; i++) seeder.push('numbers', i);
  let over = false;
  const confirmed = seeder.handedOver('numbers').then(() => {
    over = true;
  });
  await port.take(30);
  assert.equal(over, false);
  await port.take();
  await confirmed;
  assert.deepEqual(port.taken.slice(-2), [
    { load: 'first', payload: 'all' },
    { load: 'last', payload: undefined },
  ]);
});

/** The end of a pipe whose other side takes messages when it is told to. */
class SlowPort implements Port {
  readonly connected = true;
  readonly taken: object[] = [];
  readonly #waiting: (() => void)[] = [];

  on(): void {}

  send(message: object, _handle: unknown, _options: object, sent: (error: null) => void): boolean {
    const { load, payload } = message as TopicPage;
    this.#waiting.push(() => {
      this.taken.push({ load, payload });
      sent(null);
    });
    return true;
  }

  async take(most = Infinity): Promise<void> {
    for (let i = 0; i < most; i++) {
      for (let turns = 0; turns < 10; turns++) await Promise.resolve();
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next();
    }
  }
}
