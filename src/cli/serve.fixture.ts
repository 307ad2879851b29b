/** `gatehouse` as a user runs it: what tests of the command line share. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('./cli.js', import.meta.url));
/** Time enough for programs to come up on a busy machine. */
export const patience = { timeout: 180_000 };

/** Runs a command; collects what it prints. It is killed with the test. */
export function run(t: TestContext, ...args: string[]) {
  // A data directory of its own: another gateway on this machine has the usual one, perhaps that of another test.
  const env = { ...process.env, XDG_STATE_HOME: mkdtempSync(join(tmpdir(), 'gatehouse-state-')), STATE_DIRECTORY: '' };
  const child = spawn(process.execPath, [cli, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (out.stdout += chunk));
  child.stderr.on('data', (chunk) => (out.stderr += chunk));
  t.after(() => child.kill('SIGKILL'));
  const exit = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
  const match = async (stream: 'stdout' | 'stderr', pattern: RegExp) => {
    for (;;) {
      const found = pattern.exec(out[stream]);
      if (found) return found;
      if (child.exitCode !== null) assert.fail(`ended before ${pattern}: ${out.stderr}`);
      await new Promise((done) => setTimeout(done, 10));
    }
  };
  return { child, out, exit, match };
}

/** Processes that a process has forked. */
export const workersOf = (child: ChildProcess): number[] => {
  const found = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  return found.trim().split(/\s+/).filter(Boolean).map(Number);
};

/** Whether there is such a process. */
export const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** A file of its own with a configuration; see `write`. */
export function configFile(upstream: string, extra = ''): string {
  const file = join(mkdtempSync(join(tmpdir(), 'gatehouse-')), 'gatehouse.yaml');
  write(file, upstream, extra);
  return file;
}

/** Writes a configuration with one route of this name to one server, and whatever else is given. */
export function write(file: string, upstream: string, extra = '', name = 'everything'): void {
  writeFileSync(
    file,
    `listeners: { public: { address: "127.0.0.1:0" } }
admin: { address: "127.0.0.1:0" }
workers: 1
upstreams: { one: { endpoints: [ { url: "${upstream}" } ] } }
routes: [ { name: ${name}, upstream: one } ]
${extra}`,
  );
}

/** What it prints when it is ready. */
export const READY = /^gatehouse serve: ready public=(\S+) admin=(\S+)$/m;
