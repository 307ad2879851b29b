/** Runs the compiled command line as a child process, the way a user would, and listens to what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { inRepository } from './root.ts';

/** Compiled command line. */
export const CLI = inRepository('dist', 'src', 'cli', 'cli.js');

/** How long a program may take to say what is waited for, or to go. */
const PATIENCE_MS = 120_000;

/** A running program. */
export interface Program {
  /** The process, for tests that signal or kill it. */
  child: ChildProcess;
  /** Everything printed so far, both streams together. */
  readonly logs: string;
  /** Resolves with the first match of `pattern` in the logs, which may already be there. Rejects when it ends before. */
  waitFor(pattern: RegExp): Promise<RegExpMatchArray>;
  /** SIGTERM, and SIGKILL when it has not gone in time. Resolves when it has. */
  stop(): Promise<void>;
}

/** Runs `gatehouse` with these arguments, with at most so many file descriptors for each of its processes. */
export function runCli(args: readonly string[], env: NodeJS.ProcessEnv = {}, descriptors?: number): Program {
  const options = { env: { ...process.env, ...env } };
  if (descriptors !== undefined) {
    const command = ['-c', `ulimit -n ${descriptors}; exec "$0" "$@"`, process.execPath, CLI, ...args];
    return listenTo(spawn('/bin/sh', command, { ...options, stdio: ['ignore', 'pipe', 'pipe'] }));
  }
  return listenTo(spawn(process.execPath, [CLI, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Listens to a child process whose output is piped. */
export function listenTo(child: ChildProcess): Program {
  let text = '';
  let ended = '';
  const watchers = new Set<() => void>();
  const wake = () => {
    for (const watcher of watchers) watcher();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      wake();
    });
  }
  // `close` and not `exit`: the last words come between the two.
  child.once('close', (code, signal) => {
    ended = `it ended (${code ?? signal})`;
    wake();
  });
  child.once('error', (error) => {
    ended = error.message;
    wake();
  });
  return {
    child,
    get logs() {
      return text;
    },
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const done = (act: () => void) => {
          clearTimeout(timer);
          watchers.delete(look);
          act();
        };
        const fail = (why: string) => done(() => reject(new Error(`waiting for ${pattern}: ${why}:\n${text}`)));
        const look = () => {
          const found = pattern.exec(text);
          if (found) done(() => resolve(found));
          else if (ended) fail(ended);
        };
        const timer = setTimeout(() => fail(`nothing in ${PATIENCE_MS} ms`), PATIENCE_MS);
        watchers.add(look);
        look();
      }),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      await gone;
      clearTimeout(timer);
    },
  };
}
