/** A real PostgreSQL server in a folder of its own, for tests that need one. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './port.ts';

/** A running server. */
export interface Postgres {
  /** `postgres://…` with user and password, on 127.0.0.1. */
  readonly url: string;
  readonly port: number;
  /** Runs SQL as its superuser and gives what psql prints, unaligned. */
  sql(text: string): string;
  /** Starts it again after `stop`, on the same port with the same data. */
  start(): Promise<void>;
  /** Ends it: `SIGINT` closes connections and leaves a clean state, `SIGQUIT` is a crash. */
  stop(signal?: 'SIGINT' | 'SIGQUIT'): Promise<void>;
  /** Ends it and removes its folder. */
  close(): Promise<void>;
}

const PASSWORD = 'p4ss-of-the-test';

/** Folder of the server's programs: Debian keeps them by version, outside PATH. */
function programs(): string {
  const base = '/usr/lib/postgresql';
  const newest = readdirSync(base)
    .map(Number)
    .filter((version) => version > 0)
    .sort((a, b) => b - a)[0];
  return join(base, String(newest), 'bin');
}

/** The server refuses to run as the superuser of the system; its package brings a user for it. */
function ownUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/**
 * Starts a server. `settings`: lines of its configuration by name. It writes without waiting for the disk, because its data
 * dies with the test; give `fsync: 'on'` to measure.
 */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<Postgres> {
  const bin = programs();
  const user = ownUser();
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-pg-'));
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid as number);
  const data = join(folder, 'data');
  const run = {
    ...user,
    cwd: folder,
    encoding: 'utf8' as const,
    env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', PGPASSWORD: PASSWORD },
  };
  execFileSync(
    'sh',
    [
      '-c',
      `printf %s '${PASSWORD}' > password && ${join(bin, 'initdb')} -D data -U tester --pwfile=password -A scram-sha-256 --no-sync -E UTF8`,
    ],
    { ...run, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const port = await freePort();
  const all = {
    fsync: 'off',
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: folder,
    max_connections: '50',
    shared_buffers: '32MB',
    ...settings,
  };
  const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  let child: ChildProcess | undefined;

  const ready = () => {
    try {
      execFileSync(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)], run);
      return true;
    } catch {
      return false;
    }
  };
  const server: Postgres = {
    url: `postgres://tester:${PASSWORD}@127.0.0.1:${port}/postgres`,
    port,
    sql: (text) =>
      execFileSync(
        join(bin, 'psql'),
        [
          '-X',
          '-q',
          '-A',
          '-t',
          '-v',
          'ON_ERROR_STOP=1',
          '-h',
          '127.0.0.1',
          '-p',
          String(port),
          '-U',
          'tester',
          'postgres',
        ],
        { ...run, input: text },
      ).trim(),
    async start() {
      const errors: string[] = [];
      const started = spawn(join(bin, 'postgres'), args, { ...run, stdio: ['ignore', 'ignore', 'pipe'] });
      started.stderr?.setEncoding('utf8').on('data', (text: string) => errors.push(text));
      child = started;
      process.once('exit', () => started.kill('SIGQUIT'));
      while (!ready()) {
        if (started.exitCode !== null) throw new Error(`PostgreSQL did not start: ${errors.join('')}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async stop(signal = 'SIGINT') {
      const ending = child;
      child = undefined;
      if (ending === undefined || ending.exitCode !== null) return;
      ending.kill(signal);
      await once(ending, 'exit');
    },
    async close() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
