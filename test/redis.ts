/** A real Redis server with nothing on the disk, for tests that need one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { freePort } from './port.ts';

/** How long it may take to come up. */
const PATIENCE_MS = 60_000;

/** A running server. */
export interface RedisServer {
  readonly url: string;
  readonly pid: number;
  /** Sends one command line, such as `DBSIZE`, and gives the raw answer. */
  ask(line: string): Promise<string>;
  /** Ends it at once; its data is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty. */
  start(): Promise<void>;
}

function ask(port: number, line: string): Promise<string> {
  return new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${line}\r\n`));
    socket.setEncoding('latin1');
    let text = '';
    socket.on('data', (data) => {
      text += data;
      if (text.endsWith('\r\n')) socket.end();
    });
    socket.once('close', () => done(text));
    socket.once('error', failed);
  });
}

/** Starts one on 127.0.0.1. `args` of its own: `--maxmemory`, `16mb`. */
export async function startRedis(...args: string[]): Promise<RedisServer> {
  const port = await freePort();
  let child: ChildProcess;
  const start = async () => {
    const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    child = spawn('redis-server', [...fixed, ...args], { stdio: 'ignore' });
    const deadline = performance.now() + PATIENCE_MS;
    while (child.exitCode === null && performance.now() < deadline) {
      if ((await ask(port, 'PING').catch(() => '')).startsWith('+PONG')) return;
      await new Promise((done) => setTimeout(done, 25));
    }
    throw new Error('redis-server does not come up');
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid ?? 0;
    },
    ask: (line) => ask(port, line),
    start,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
