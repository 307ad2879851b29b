/** Starts the real thing: `gatehouse serve` and `gatehouse simulate` on free ports. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { type Program, runCli } from './program.ts';

/** How long a metric may take to show what has happened. */
const METRIC_PATIENCE_MS = 60_000;

/** Settings of `overload`: a slow machine is no reason to refuse anything, unless a test is about that. */
export const PATIENT = { loopDelay: '1h' };

/** A running gateway. */
export interface Gateway extends Program {
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
  /** Access log lines so far, when the log goes to standard output. */
  accessLog(): Record<string, unknown>[];
  /** Text of the admin port's /metrics. */
  metrics(): Promise<string>;
  /** Value of one series, such as `gatehouse_faults_total{kind="bare_lf"}`: the sum of all that carry these labels. */
  metric(series: string): Promise<number>;
  /** The same, once it has reached `least`: workers report what they counted every now and then, not at once. */
  metricReaches(series: string, least: number): Promise<number>;
}

/** A configuration: YAML text, or its object. */
export type Settings = string | Record<string, unknown>;

/** How it is started. */
export interface StartOptions {
  env?: NodeJS.ProcessEnv;
  /** File descriptors that each of its processes may have. */
  descriptors?: number;
}

/**
 * Runs `gatehouse serve -c FILE` and resolves when it says that it is ready. What the settings leave out: one worker, a
 * free admin port, patience with a slow machine. Rejects with what was printed when it ends before.
 */
export async function startGateway(settings: Settings, options: StartOptions = {}): Promise<Gateway> {
  const given = (typeof settings === 'string' ? parse(settings) : settings) as Record<string, unknown>;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
  const file = join(folder, 'gatehouse.yaml');
  const overload = { ...PATIENT, ...(given.overload as object | undefined) };
  writeFileSync(file, stringify({ admin: { address: '127.0.0.1:0' }, workers: 1, ...given, overload }));
  const env = { XDG_STATE_HOME: folder, STATE_DIRECTORY: '', ...options.env };
  const program = runCli(['serve', '-c', file], env, options.descriptors);
  const stop = async () => {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [ready] = await program.waitFor(/^.*\bready\b.*$/im);
    const { admin: adminUrl, ...urls } = addresses(ready);
    const [url] = Object.values(urls);
    if (!url || !adminUrl) throw new Error(`no addresses in the ready line: ${ready}`);
    const metrics = async () => (await fetch(`${adminUrl}/metrics`)).text();
    return {
      url,
      port: Number(new URL(url).port),
      urls,
      adminUrl,
      file,
      child: program.child,
      get logs() {
        return program.logs;
      },
      waitFor: program.waitFor,
      accessLog: () => accessLines(program.logs),
      metrics,
      metric: async (series) => sumSeries(await metrics(), series),
      metricReaches: (series, least) => reach(metrics, series, least),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function reach(metrics: () => Promise<string>, series: string, least: number): Promise<number> {
  const deadline = performance.now() + METRIC_PATIENCE_MS;
  for (;;) {
    const text = await metrics();
    const value = sumSeries(text, series);
    if (value >= least) return value;
    if (performance.now() > deadline) {
      const name = series.replace(/\{.*/, '');
      const near = text.split('\n').filter((line) => line.startsWith(name));
      throw new Error(`${series} is ${value}, not ${least}; there is:\n${near.join('\n')}`);
    }
    await setTimeout(50);
  }
}

/** Runs `gatehouse simulate` on a free port with further arguments; `url` is its base address. */
export async function startSimulator(...args: string[]): Promise<Program & { url: string }> {
  const program = runCli(['simulate', '--listen', '127.0.0.1:0', ...args]);
  const found = await program.waitFor(/ready.*?(http:\/\/\S+)/);
  return Object.assign(program, { url: (found[1] as string).replace(/\/$/, '') });
}

/** The addresses of a ready line, by the word before each: `ready: public http://…, admin http://…`. */
function addresses(line: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name, url] of line.matchAll(/([\w-]+)[ =:]+((?:https?:\/\/|unix:)[^\s,;]+)/g)) {
    if (name && url) found[name] = url.replace(/\/$/, '');
  }
  return found;
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
