/** `gatehouse serve`: runs the gateway of a configuration file until it is told to stop. */
import { styleText } from 'node:util';
import { Command } from 'commander';
import { formatProblem, keepFolder, openSource, type Source } from '../config/config.ts';
import { systemClock } from '../kernel/clock.ts';
import { parseDuration } from '../kernel/limit.ts';
import { createOpLog } from '../observe/observe.ts';
import { inheritedFrom } from '../supervisor/supervisor.ts';
import type { Gateway } from './gateway.ts';
import { startGateway } from './gateway.ts';
import { tellPredecessor } from './successor.ts';
import { Systemd } from './systemd.ts';

const HELP = `
The ready line and notices go to standard error; standard output belongs to the access log.

Signals:
  SIGTERM, SIGINT  stop: no new connections, requests under way may end (see --drain); a second one ends at once
  SIGHUP           load the configuration anew; when it is wrong, the old one stays and the reason is printed
                   (a changed file, certificates included, does the same within two seconds)
  SIGUSR1          upgrade: start the program anew, as it is on the disk by now, hand over to it, drain and exit
  SIGUSR2          open the access log file anew, after it was renamed

Exit codes:
  0  stopped as told
  1  did not start: the configuration is wrong, an address is taken, or the workers do not come up
  2  ended by a second signal, with requests under way cut off`;

interface Flags {
  config: string;
  drain?: string;
  poll: string;
  keep?: string;
}

/** The command. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway')
    .requiredOption(
      '-c, --config <place>',
      'configuration: a file (YAML or JSON), a folder of them, or s3://BUCKET/KEY',
    )
    .option('--poll <duration>', 'how often a bucket is looked at', '10s')
    .option('--keep <folder>', 'where the last good copy of a bucket is kept for a restart without it')
    .option(
      '--drain <duration>',
      'how long requests under way may take to end; drainTimeout of the configuration when left out',
    )
    .addHelpText('after', HELP)
    .action(serve);
}

async function serve(flags: Flags): Promise<void> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const drainMs = flags.drain === undefined ? undefined : parseDuration(flags.drain);
  if (flags.drain !== undefined && drainMs === undefined) {
    say(`gatehouse serve: --drain ${flags.drain}: expected a duration, such as 30s`);
    process.exitCode = 1;
    return;
  }
  const pollMs = parseDuration(flags.poll);
  if (pollMs === undefined || pollMs < 100) {
    say(`gatehouse serve: --poll ${flags.poll}: expected a duration from 100ms, such as 10s`);
    process.exitCode = 1;
    return;
  }
  let source: Source;
  try {
    source = openSource(flags.config, { env: process.env, pollMs, keep: flags.keep ?? keepFolder(process.env) });
  } catch (error) {
    say(`gatehouse serve: ${(error as Error).message}`);
    process.exitCode = 1;
    return;
  }
  const load = () => source.load();
  const loaded = await load();
  for (const warning of loaded.warnings) say(formatProblem({ ...warning, message: `warning: ${warning.message}` }));
  if (!loaded.ok) {
    for (const problem of loaded.problems) say(formatProblem(problem));
    say(`gatehouse serve: not started; ${flags.config} has ${loaded.problems.length} problem(s), above`);
    process.exitCode = 1;
    return;
  }
  const human = process.stderr.isTTY === true;
  const notice = createOpLog({
    clock: systemClock,
    write: (line) => process.stderr.write(line),
    format: human ? 'human' : 'json',
    color: human,
  });
  process.title = 'gatehouse';
  const systemd = new Systemd(process.env, (message) => notice({ level: 'warn', message }));
  let gateway: Gateway;
  try {
    gateway = await startGateway({
      loaded,
      load,
      notice,
      inherited: inheritedFrom(process.env, process.pid),
      left: () => process.exit(0),
      back: () => void systemd.ready('serving again after an upgrade that failed'),
      reloading: (ended) => {
        if (ended?.ok) accepted();
        if (ended === undefined) void systemd.reloading();
        else void systemd.ready(ended.ok ? `serving configuration ${ended.generation}` : 'a reload was refused');
      },
      ...(drainMs === undefined ? {} : { drainMs }),
    });
  } catch (error) {
    say(`gatehouse serve: not started: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
    return;
  }
  const accepted = () => {
    const problem = source.accepted();
    if (problem !== undefined) notice({ level: 'warn', message: problem });
  };
  accepted();
  source.watch(() => void gateway.reload());
  process.on('SIGHUP', () => void gateway.reload());
  process.on('SIGUSR1', () => void gateway.upgrade());
  process.on('SIGUSR2', () => void gateway.reopenLog());
  systemd.watchdog(process.env, () => gateway.ready);
  void systemd.ready('serving configuration 1');
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void systemd.stopping());
  stopOnSignal(
    gateway,
    () => gateway.drainMs,
    (text) => notice({ level: 'info', message: text }),
  );
  const urls = [...gateway.urls].map(([name, url]) => `${name}=${url}`);
  const ready = human ? styleText('green', 'ready') : 'ready';
  say(`gatehouse serve: ${ready} ${urls.join(' ')} admin=${gateway.adminUrl}`);
  tellPredecessor();
}

/** Stops on SIGTERM or SIGINT and exits; a second signal ends at once. `after` runs when the gateway has ended. */
export function stopOnSignal(
  gateway: Gateway,
  drainTime: () => number,
  tell: (text: string) => void,
  after: () => Promise<void> = async () => {},
): void {
  // Who read our output may leave; that is no reason to stop serving.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  let signals = 0;
  const stop = async (signal: string) => {
    signals++;
    if (signals > 2) return;
    const drainMs = drainTime();
    if (signals === 2) {
      tell(`${signal} again: ending at once`);
      gateway.kill();
      return;
    }
    tell(`${signal}: draining for at most ${drainMs / 1000} s`);
    const killed = await gateway.stop(drainMs);
    await after();
    if (killed > 0 && signals === 1) tell(`${killed} worker(s) did not end in time and were killed`);
    process.exit(signals > 1 ? 2 : 0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
}
