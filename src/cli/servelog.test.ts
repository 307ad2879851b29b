import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { startSimulator } from '../simulate/simulate.ts';
import { configFile, patience, READY, run, workersOf, write } from './serve.fixture.ts';

/** Where a process stands in a file, by each descriptor that it has for it: one that it has just opened is at 0. */
function placesIn(pid: number, path: string): number[] {
  const { ino, dev } = statSync(path);
  const places: number[] = [];
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const own = statSync(`/proc/${pid}/fd/${descriptor}`);
      if (own.ino !== ino || own.dev !== dev) continue;
      places.push(Number(/^pos:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8'))?.[1]));
    } catch {
      // It has closed it meanwhile.
    }
  }
  return places;
}

test('serve: the access log goes to a file, which may be renamed', patience, async (t) => {
  const simulator = await startSimulator();
  t.after(() => simulator.close());
  const file = configFile(simulator.url);
  const log = `${file}.log`;
  write(file, simulator.url, `log: { access: ${log} }`);
  const { child, exit, match } = run(t, 'serve', '-c', file);
  const [, url] = await match('stderr', READY);
  const lines = (path: string) => {
    try {
      return readFileSync(path, 'utf8').split('\n').length - 1;
    } catch {
      return 0;
    }
  };
  let asked = 0;
  const ask = async () => {
    await fetch(`${url}/health`);
    asked++;
  };
  const written = (...paths: string[]) => paths.reduce((sum, path) => sum + lines(path), 0);
  const files = [log];
  await ask();
  const [worker] = workersOf(child);
  for (const [signal, suffix] of [
    ['SIGUSR2', 1],
    ['SIGHUP', 3],
  ] as const) {
    while (written(...files) < asked) await new Promise((done) => setTimeout(done, 10));
    // Nobody has renamed it yet, so the worker opens it anew for the signal and for nothing else.
    child.kill(signal);
    while (!placesIn(worker!, log).includes(0)) await new Promise((done) => setTimeout(done, 10));
    // What rotates may pack the old file as soon as it has told so.
    renameSync(log, `${log}.${suffix}`);
    files.push(`${log}.${suffix}`);
    child.kill(signal);
    while (lines(log) < 1) {
      await ask();
      await new Promise((done) => setTimeout(done, 10));
    }
  }
  write(file, simulator.url, `log: { access: ${log}.2 }`);
  while (lines(`${log}.2`) < 1) {
    await fetch(`${url}/health`);
    await new Promise((done) => setTimeout(done, 10));
  }
  child.kill('SIGTERM');
  assert.equal(await exit, 0);
});
