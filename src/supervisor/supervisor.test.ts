import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ManualClock, systemClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { Events } from '../kernel/event.ts';
import type { SupervisedConfig, SupervisorOptions } from './options.ts';
import type { Standin } from './standin.test.worker.ts';
import { Services, Supervisor } from './supervisor.ts';

const entry = fileURLToPath(new URL('./standin.test.worker.js', import.meta.url));

interface TestConfig extends SupervisedConfig {
  workers: number;
  standin?: Standin;
}

const configOf = (over: Partial<TestConfig> = {}): TestConfig => ({
  listeners: { public: { address: '127.0.0.1:0' } },
  upstreams: {},
  workers: 1,
  ...over,
});

function house(t: TestContext, config: TestConfig, over: Partial<SupervisorOptions<TestConfig>> = {}) {
  const events = new Events();
  const notices: NoticeEvent[] = [];
  const logs: string[] = [];
  const gone: number[] = [];
  const metrics: unknown[] = [];
  events.on('notice', (notice) => notices.push(notice));
  const next: { config: TestConfig } = { config };
  const supervisor = new Supervisor<TestConfig>({
    clock: systemClock,
    events,
    services: new Services(),
    program: { entry },
    config,
    files: {},
    workers: (c) => c.workers,
    load: async () => ({ ok: true, config: next.config, files: {} }),
    log: (_, lines) => logs.push(lines.toString()) > 0,
    metrics: (_, snapshot) => metrics.push(snapshot),
    gone: (worker) => gone.push(worker),
    ...over,
  });
  t.after(() => supervisor.kill());
  return { supervisor, notices, logs, gone, metrics, next };
}

/** Asks a stand-in; resolves with `[pid, generation]`. */
function ask(address: string): Promise<[number, number]> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('\n')) {
        socket.destroy();
        const [pid, generation] = text.split(' ').map(Number);
        resolve([pid!, generation!]);
      }
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed without an answer')));
    socket.write('?');
  });
}

function connect(address: string): net.Socket {
  if (address.startsWith('unix:')) return net.connect(address.slice(5));
  return net.connect(Number(address.split(':').pop()), '127.0.0.1');
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((done) => setTimeout(done, 5));
}

test('a killed worker is replaced and no connection is refused meanwhile', { timeout: 180_000 }, async (t) => {
  for (const workers of [1, 2]) {
    const { supervisor, gone, notices } = house(t, configOf({ workers }));
    await supervisor.start();
    const address = supervisor.addresses[0]!.address;
    const victim = supervisor.status().workers[0]!;
    let stop = false;
    let answered = 0;
    const refused: string[] = [];
    let cut = 0;
    const load = Array.from({ length: 4 }, async () => {
      while (!stop) {
        try {
          await ask(address);
          answered++;
        } catch (error) {
          // What the dead worker had accepted is cut, visibly; that is not a refusal.
          const code = (error as NodeJS.ErrnoException).code ?? '';
          if (code === 'ECONNREFUSED') refused.push(code);
          else cut++;
        }
      }
    });
    await until(() => answered > 50);
    process.kill(victim.pid, 'SIGKILL');
    await until(() => gone.includes(victim.worker));
    await until(() => supervisor.status().workers.filter((w) => w.state === 'ready').length === workers);
    const then = answered;
    await until(() => answered > then + 50);
    stop = true;
    await Promise.all(load);
    assert.deepEqual(refused, []);
    assert.ok(cut <= 4, `${cut} connections were cut, more than were open`);
    assert.match(notices[0]!.message, /was killed by SIGKILL; it is replaced at once/);
    assert.equal(supervisor.status().restarts, 1);
    assert.equal(await supervisor.stop(30_000), 0);
    await assert.rejects(ask(address), { code: 'ECONNREFUSED' });
  }
});

test('workers that die at their start are a crash loop, and start says so', { timeout: 180_000 }, async (t) => {
  const restarts = { soundAfter: 10_000, firstDelay: 1, longestDelay: 2, loopDeaths: 3, loopWindow: 60_000 };
  const { supervisor, notices } = house(t, configOf({ standin: { crash: true } }), { restarts });
  await assert.rejects(supervisor.start(), /workers die at their start: the last one exited with code 7/);
  assert.equal(notices.filter((notice) => notice.message.startsWith('crash loop')).length, 1);
  assert.deepEqual(supervisor.status().workers, []);
});

test('a configuration that the worker refuses fails the start with its reason', { timeout: 180_000 }, async (t) => {
  const { supervisor } = house(t, configOf({ standin: { refuse: 'route a names no upstream' } }));
  await assert.rejects(supervisor.start(), /worker 1 refused the configuration: route a names no upstream/);
});

test('draining waits for open connections, then for the deadline', { timeout: 180_000 }, async (t) => {
  for (const patient of [true, false]) {
    // The worker holds to its deadline by itself; for us time stands still, so nobody has to be killed for being late.
    const { supervisor } = house(t, configOf({ standin: { hold: true } }), { clock: new ManualClock() });
    await supervisor.start();
    const socket = connect(supervisor.addresses[0]!.address);
    socket.on('error', () => {});
    socket.write('?');
    await new Promise((done) => socket.once('data', done));
    let stopped = false;
    const stopping = supervisor.stop(patient ? 20_000 : 50).then((killed) => {
      stopped = true;
      return killed;
    });
    await assert.rejects(async () => {
      for (;;) await ask(supervisor.addresses[0]!.address);
    });
    if (patient) {
      assert.equal(stopped, false);
      socket.end();
      socket.destroy();
    }
    assert.equal(await stopping, 0);
  }
});

test('reload: swaps, adds and removes listeners, resizes; a refused one changes nothing', {
  timeout: 180_000,
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const { supervisor, next, notices } = house(t, configOf());
  await supervisor.start();
  const first = supervisor.addresses[0]!.address;
  const [pid] = await ask(first);

  next.config = configOf({
    workers: 2,
    listeners: { public: { address: '127.0.0.1:0' }, local: { address: `unix:${dir}/a.sock` } },
  });
  assert.deepEqual(await supervisor.reload(), { ok: true, generation: 2 });
  assert.equal(supervisor.addresses[0]!.address, first, 'the port that was chosen stays');
  await until(() => supervisor.status().workers.filter((w) => w.state === 'ready').length === 2);
  assert.ok(
    supervisor.status().workers.some((w) => w.pid === pid),
    'the worker was not replaced',
  );
  assert.equal((await ask(first))[1], 2);
  assert.equal((await ask(`unix:${dir}/a.sock`))[1], 2);

  next.config = configOf({ workers: 2, standin: { refuse: 'no such model' }, listeners: { b: { address: ':0' } } });
  assert.deepEqual(await supervisor.reload(), { ok: false, problems: ['no such model'] });
  assert.equal((await ask(first))[1], 2);
  assert.match(notices.at(-1)!.message, /reload refused, configuration 2 stays in force: no such model/);

  next.config = configOf({ listeners: { public: { address: first } } });
  assert.equal((await supervisor.reload()).ok, false, 'our own port under another key is still in use');

  next.config = configOf({ workers: 1, listeners: { local: { address: `unix:${dir}/a.sock` } } });
  const last = await supervisor.reload();
  assert.ok(last.ok, JSON.stringify(last));
  await until(() =>
    ask(first).then(
      () => false,
      (error) => error.code === 'ECONNREFUSED',
    ),
  );
  await until(() => supervisor.status().workers.length === 1);
  assert.equal((await ask(`unix:${dir}/a.sock`))[1], last.generation);
  await supervisor.stop(30_000);
  assert.equal(existsSync(`${dir}/a.sock`), false);
});

test('a snapshot that kills the worker is refused; the replacement serves the old one', {
  timeout: 180_000,
}, async (t) => {
  const { supervisor, next } = house(t, configOf());
  await supervisor.start();
  next.config = configOf({ standin: { crash: true } });
  const result = await supervisor.reload();
  assert.ok(!result.ok && /died of it: exited with code 7/.test(result.problems[0]!));
  assert.equal((await ask(supervisor.addresses[0]!.address))[1], 1);
  next.config = configOf();
  assert.ok((await supervisor.reload()).ok);
  await supervisor.stop(30_000);
});

test('log lines come whole, metrics come, and a worker told to go is replaced first', {
  timeout: 180_000,
}, async (t) => {
  const { supervisor, logs, metrics, gone } = house(t, configOf({ standin: { say: 'one\ntwo\nhalf' } }));
  await supervisor.start();
  await until(() => metrics.length > 1 && logs.length > 0);
  assert.deepEqual(logs, ['one\ntwo\n']);
  const [worker] = supervisor.status().workers;
  process.kill(worker!.pid, 'SIGTERM');
  await until(() => gone.length === 1);
  assert.ok(logs.includes('half\n'));
  await until(() => supervisor.status().workers.some((w) => w.state === 'ready'));
  assert.equal(supervisor.status().restarts, 0, 'going on request is no death');
  await supervisor.stop(30_000);
});

test('a worker whose loop is stuck is killed and replaced', { timeout: 180_000 }, async (t) => {
  const clock = new ManualClock();
  const { supervisor, notices, gone } = house(t, configOf({ standin: { stuck: true } }), { clock });
  await supervisor.start();
  // What it still says on its way into the loop counts as life.
  await until(() => {
    if (notices.length === 0) clock.advance(1000);
    return gone.includes(1);
  });
  assert.match(notices[0]!.message, /worker 1 has been silent for 30 s; it is killed/);
  assert.match(notices[1]!.message, /was killed by SIGKILL; it is replaced at once/);
});

test('what the prober finds reaches workers, new ones with their snapshot', { timeout: 180_000 }, async (t) => {
  const { upstreamConfig } = await import('../upstream/config.ts');
  const upstream = upstreamConfig.parse({
    // Nobody listens there, ever.
    endpoints: [{ url: 'http://127.0.0.1:1' }],
    health: { interval: '100ms', timeout: '60s' },
  });
  const { supervisor, logs } = house(t, configOf({ upstreams: { one: upstream } }));
  await supervisor.start();
  await until(() => logs.join('').includes('health'));
  assert.match(logs.join(''), /"endpoint":"127\.0\.0\.1:\d+","healthy":false,"reason":"connection refused"/);
  assert.equal(supervisor.endpoints.health().length, 1);
  await supervisor.stop(30_000);
});

test('workers of a killed supervisor drain and exit', { timeout: 180_000 }, async () => {
  const owner = fork(fileURLToPath(new URL('./orphan.test.owner.js', import.meta.url)), {
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  const { pid, address } = await new Promise<{ pid: number; address: string }>((done) => owner.once('message', done));
  assert.equal((await ask(address))[0], pid);
  owner.kill('SIGKILL');
  await until(() => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  });
  await assert.rejects(ask(address), { code: 'ECONNREFUSED' });
});
