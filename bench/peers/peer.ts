/** What the bench knows of a proxy: how to start it for a scenario, and how to find what it uses. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Caller, Callers } from '../measure/callers.ts';
import type { Start } from './start.ts';
import type { TrialPeer } from './trial.ts';

/** What a scenario asks of the proxy. */
export interface Setup {
  /** A folder of this run's own, for configuration, logs and whatever the proxy writes. */
  folder: string;
  /** Port on 127.0.0.1 that the proxy listens on. */
  port: number;
  /** Ports on 127.0.0.1 that are free for whatever else the proxy has to open. */
  spare: number[];
  upstreamPort: number;
  /** TLS towards the client, with these PEM files; HAProxy wants both in one. */
  tls?: { certificate: string; key: string; both: string };
  /** Model routing or a map look-up, access log to a file, usage read where the proxy can, metrics on. */
  everything: boolean;
  /** Hosts `h0.bench` … each with paths `/p0/…` …, hosts × paths routes in all; 0 × 0 = one route for all. */
  routes: { hosts: number; paths: number };
  /** Who is let in, and by what; everybody where it is left out. */
  callers?: Callers & { by: Caller };
  /** Limits by key for those who are let in: two on requests, and one on tokens where the proxy can count them. */
  limits?: 'requests' | 'tokens';
  /** What requests use is written down, where the proxy can. */
  ledger?: true;
  /** HTTP/2 without TLS has to be served as well. */
  http2: boolean;
  /** Whether streams are relayed, whose events must not wait for each other. */
  streaming: boolean;
  /** Connections that stand open at the most. */
  connections: number;
}

/** One proxy beside which Gatehouse is measured, or Gatehouse itself. */
export interface Peer {
  name: string;
  /** One line for the table's foot: what it is and how it is set up. */
  about: string;
  /** Its version, or undefined with the reason in `missing` when it cannot run here. */
  version(): string | undefined;
  /** What has to be installed when it is not there. */
  missing: string;
  /** Why it cannot take part in this scenario, or undefined when it can. */
  cannot?(setup: Pick<Setup, 'tls' | 'everything' | 'routes'>): string | undefined;
  /** Callers that it can tell from others. */
  admits?: readonly Caller[];
  /** The port on which it serves HTTP/2 without TLS, if it does. */
  http2?(setup: Pick<Setup, 'port' | 'spare'>): number;
  /** The port of the route that lets everybody in beside the one that does not, if it is another. */
  openPort?(setup: Pick<Setup, 'port' | 'spare'>): number;
  /** Writes its configuration into the folder and says how to start it. */
  configure(setup: Setup): Start;
  /** Fields that its requests need besides the usual ones, each ending in CRLF. */
  fields?(setup: Setup): string;
  /** Whether it may write the JSON anew, so that only its meaning is compared. */
  rewrites?: boolean;
  /** How it takes part in reload, failover and overload; else it is only measured for its cost. */
  trial?: TrialPeer;
  /** Whether it listens on every interface and so needs a network of its own. */
  isolate?: boolean;
}

/** First line that a command prints, or undefined when it cannot be run. */
export function versionOf(command: string, args: string[], pattern: RegExp): string | undefined {
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 10_000 });
  if (error) return undefined;
  return pattern.exec(`${stdout}${stderr}`)?.[1];
}

/** A started proxy. */
export interface Running {
  pid: number;
  /** Its last output, for when it does not work. */
  output(): string;
  alive(): boolean;
  stop(): Promise<void>;
}

/** Starts a proxy; its output goes to `proxy.out` in the folder. `prefix` is put before the command (pinning, network). */
export function startProcess(start: Start, folder: string, prefix: readonly string[]): Running {
  const [command, ...args] = [...prefix, start.command, ...start.args];
  const file = `${folder}/proxy.out`;
  const child = spawn(command!, args, {
    cwd: folder,
    env: { ...process.env, ...start.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out = createWriteStream(file, { flags: 'a' });
  child.stdout.pipe(out, { end: false });
  child.stderr.pipe(out, { end: false });
  // Whatever ends the bench, no proxy of its is left behind.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  let failure = '';
  child.on('error', (error) => {
    failure = error.message;
  });
  return {
    pid: child.pid ?? 0,
    output: () => `${failure}${tail(file)}`,
    alive: () => child.exitCode === null && child.signalCode === null && failure === '',
    stop: () => stopProcess(child).finally(() => out.end()),
  };
}

/** Asks a process to end, and after 3 s makes it. */
export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(force);
}

/** Ports that nothing listens on now; all are held until each is known, so they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-600).trim();
  } catch {
    return '';
  }
}
