/** A gateway with an admin API that asks for tokens, and the command line that speaks to it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { CLI } from '../program.ts';

/** Time enough for programs to come up, and commands to run, on a busy machine. */
export const PATIENCE = { timeout: 240_000 };
/** Token of its administrator. */
export const TOKEN = 'the-token-of-the-first-admin';

interface Ended {
  code: number;
  out: string;
  err: string;
}

/** A document as commands show it. */
export interface Shown {
  id: string;
  key: string;
  [name: string]: unknown;
}

/** A gateway of two workers with a store; `run` runs a command against it. All of it ends with the test. */
export async function start(
  t: TestContext,
): Promise<{ gateway: Gateway; path: string; run: (...args: string[]) => Promise<Ended> }> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-admin-'));
  const path = join(folder, 'state.db');
  const simulator = await startSimulator();
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 2,
    store: { driver: 'sqlite', path, lockTimeout: '200ms' },
    admin: {
      address: '127.0.0.1:0',
      access: { tokens: [{ name: 'first', token: TOKEN, role: 'admin' }] },
      anonymous: ['metrics'],
    },
    access: { pepper: 'a pepper that is long enough for this test', failures: { burst: 100_000, refill: '10ms' } },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    routes: [{ name: 'all', upstream: 'model', access: { anyOf: ['apiKey'], scopes: ['inference'] } }],
  });
  t.after(async () => {
    await gateway.stop();
    await simulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const run = (...args: string[]) =>
    new Promise<Ended>((resolve) => {
      const env = { ...process.env, GATEHOUSE_ADMIN_TOKEN: TOKEN };
      const words = [CLI, ...args, '--admin', gateway.adminUrl];
      execFile(process.execPath, words, { env }, (error, out, err) => {
        resolve({ code: error ? Number(error.code) : 0, out: out.trim(), err });
      });
    });
  return { gateway, path, run };
}
