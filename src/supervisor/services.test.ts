import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { Services, Supervisor } from './supervisor.ts';

const entry = fileURLToPath(new URL('./standin.test.worker.js', import.meta.url));

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((done) => setTimeout(done, 5));
}

test('a worker has every topic whole before it listens, hears each change, and gets its questions answered', {
  timeout: 30_000,
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
});
