/** A supervisor in a process of its own, to be killed by a test. */
import { fileURLToPath } from 'node:url';
import { systemClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { Services, Supervisor } from './supervisor.ts';

const config = { listeners: { public: { address: '127.0.0.1:0' } }, upstreams: {} };
const supervisor = new Supervisor({
  clock: systemClock,
  events: new Events(),
  services: new Services(),
  program: { entry: fileURLToPath(new URL('./standin.test.worker.js', import.meta.url)) },
  config,
  files: {},
  workers: () => 1,
  load: async () => ({ ok: true, config, files: {} }),
  log: () => true,
  metrics: () => {},
  gone: () => {},
});
await supervisor.start();
process.send?.({ pid: supervisor.status().workers[0]?.pid, address: supervisor.addresses[0]?.address });
