/** Starts the real command line, `gatehouse serve`, on free ports, the way a user would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { inRepository } from './root.ts';

/** Compiled command line. */
export const CLI = inRepository('dist', 'src', 'cli', 'cli.js');

/** Skip reason of tests that need `gatehouse serve`: false as soon as the command exists. */
export const gatewaySkip: string | false = existsSync(inRepository('src', 'cli', 'serve.ts'))
  ? false
  : 'gatehouse serve does not exist yet';

/** How long a gateway may take to start or to drain. */
const PATIENCE_MS = 20_000;

/** A running gateway. */
export interface Gateway {
  /** Base address of the first listener, such as `http://127.0.0.1:41234`. */
  url: string;
  /** Port of the first listener. */
  port: number;
  /** Base address of each listener by name. */
  urls: Readonly<Record<string, string>>;
  /** Base address of the admin port. */
  adminUrl: string;
  /** The configuration file, for tests that change it. */
  file: string;
  /** The process, for tests that signal or kill it. */
  child: ChildProcess;
  /** Everything printed so far, both streams together. */
  readonly logs: string;
  /** Resolves with the first match of `pattern` in the logs, which may already be there. */
  waitFor(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Access log lines so far, when the log goes to standard output. */
  accessLog(): Record<string, unknown>[];
  /** Text of the admin port's /metrics. */
  metrics(): Promise<string>;
  /** Value of one series, such as `gatehouse_faults_total{kind="bare_lf"}`: the sum of all that carry these labels. */
  metric(series: string): Promise<number>;
  /** SIGTERM, and SIGKILL when it has not drained in time. Resolves when it has gone. */
  stop(): Promise<void>;
}

/** A configuration: YAML text, or its object. */
export type Settings = string | Record<string, unknown>;

/**
 * Runs `gatehouse serve -c FILE` and resolves when it says that it is ready. What the settings leave out: one worker, a
 * free admin port. Rejects with what was printed when it ends before.
 */
export async function startGateway(settings: Settings, options: { env?: NodeJS.ProcessEnv } = {}): Promise<Gateway> {
  const given = (typeof settings === 'string' ? parse(settings) : settings) as Record<string, unknown>;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
  const file = join(folder, 'gatehouse.yaml');
  writeFileSync(file, stringify({ admin: { address: '127.0.0.1:0' }, workers: 1, ...given }));
  const child = spawn(process.execPath, [CLI, 'serve', '-c', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  const output = collect(child);
  const stop = async () => {
    await stopChild(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const ready = await output.waitFor(/^.*\bready\b.*$/im);
    const urls: Record<string, string> = {};
    for (const [, name, url] of ready[0].matchAll(/([\w-]+)[ =:]+(https?:\/\/[^\s,;]+)/g)) {
      if (name && url) urls[name] = url.replace(/\/$/, '');
    }
    const names = Object.keys(urls).filter((name) => name !== 'admin');
    const url = urls[names[0] ?? ''];
    const adminUrl = urls.admin;
    if (!url || !adminUrl) throw new Error(`no addresses in the ready line: ${ready[0]}`);
    const metrics = async () => (await fetch(`${adminUrl}/metrics`)).text();
    return {
      url,
      port: Number(new URL(url).port),
      urls,
      adminUrl,
      file,
      child,
      get logs() {
        return output.text();
      },
      waitFor: output.waitFor,
      accessLog: () => accessLines(output.text()),
      metrics,
      metric: async (series) => sumSeries(await metrics(), series),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function collect(child: ChildProcess) {
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
  const waitFor = (pattern: RegExp): Promise<RegExpMatchArray> =>
    new Promise((resolve, reject) => {
      const done = (act: () => void) => {
        clearTimeout(timer);
        watchers.delete(look);
        act();
      };
      const look = () => {
        const found = pattern.exec(text);
        if (found) done(() => resolve(found));
        else if (ended) done(() => reject(new Error(`waiting for ${pattern}: ${ended}:\n${text}`)));
      };
      const late = () =>
        done(() => reject(new Error(`waiting for ${pattern}: nothing in ${PATIENCE_MS} ms:\n${text}`)));
      const timer = setTimeout(late, PATIENCE_MS);
      watchers.add(look);
      look();
    });
  return { text: () => text, waitFor };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  await gone;
  clearTimeout(timer);
}

function accessLines(logs: string): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  for (const line of logs.split('\n')) {
    if (!line.startsWith('{')) continue;
    try {
      lines.push(JSON.parse(line) as Record<string, unknown>);
    } catch {
      // The last line may not be complete yet.
    }
  }
  return lines;
}

/** Sums the samples of a Prometheus text whose name is equal and whose labels include those of `series`. */
export function sumSeries(text: string, series: string): number {
  const labels = (list: string) => new Map([...list.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]]));
  const [, name, wanted = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(series) ?? [];
  let sum = 0;
  for (const line of text.split('\n')) {
    const sample = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!sample || sample[1] !== name) continue;
    const has = labels(sample[2] ?? '');
    if ([...labels(wanted)].every(([key, value]) => has.get(key) === value)) sum += Number(sample[3]);
  }
  return sum;
}
