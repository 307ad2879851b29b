/** `gatehouse serve`: runs the gateway of a configuration file until it is told to stop. */
import { styleText } from 'node:util';
import { Command } from 'commander';
import type { Outcome } from '../admin/admin.ts';
import { formatProblem, keepFolder, openSource, type Source } from '../config/config.ts';
import { systemClock } from '../kernel/clock.ts';
import { parseDuration } from '../kernel/limit.ts';
import { createOpLog } from '../observe/observe.ts';
import { inheritedFrom } from '../supervisor/supervisor.ts';
import type { Gateway } from './gatewayhandle.ts';
import { startUnlessStopped, stopOnSignal } from './signals.ts';
import { tellPredecessor, tellProblems } from './successor.ts';
import { Systemd } from './systemd.ts';

const HELP = `
The ready line and notices go to standard error; standard output belongs to the access log.

Signals:
  SIGTERM, SIGINT  stop: no new connections, requests under way may end (see --drain); a second one ends at once
  SIGHUP           load the configuration anew; when it is wrong, the old one stays and the reason is printed;
                   the access log file is opened anew as well
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
  let gateway: Gateway | undefined;
  // Before anything that takes its time: unheard, they end a process, or open a debugger's port.
  process.on('SIGHUP', () => {
    void gateway?.reload();
    void gateway?.reopenLog();
  });
  process.on('SIGUSR1', () => void gateway?.upgrade());
  process.on('SIGUSR2', () => void gateway?.reopenLog());
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
    tellProblems(loaded.problems.map(formatProblem));
    say(
      `gatehouse serve: not started; ${flags.config} has ${loaded.problems.length === 1 ? 'a problem' : `${loaded.problems.length} problems`}, above`,
    );
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
  const accepted = () => {
    const problem = source.accepted();
    if (problem !== undefined) notice({ level: 'warn', message: problem });
  };
  const watched = source.watch(() => void gateway?.reload());
  const tell = (text: string) => notice({ level: 'info', message: text });
  const parts = {
    loaded,
    load,
    notice,
    inherited: inheritedFrom(process.env, process.pid),
    left: () => process.exit(0),
    back: () => void systemd.ready('serving again after an upgrade that failed'),
    reloading: (ended: Outcome | undefined) => {
      if (ended === undefined) {
        watched.seen();
        void systemd.reloading();
        return;
      }
      if (ended.ok) accepted();
      void systemd.ready(ended.ok ? `serving configuration ${ended.generation}` : 'a reload was refused');
    },
    ...(drainMs === undefined ? {} : { drainMs }),
  };
  try {
    gateway = await startUnlessStopped(parts, tell);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    say(`gatehouse serve: not started: ${why}`);
    tellProblems([why]);
    process.exitCode = 1;
  }
  if (!gateway) return process.exit();
  accepted();
  systemd.watchdog(process.env, () => gateway.ready);
  void systemd.ready('serving configuration 1');
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void systemd.stopping());
  // That it stops is told before it has stopped, however short its way there.
  stopOnSignal(gateway, tell, () => systemd.told);
  const urls = [...gateway.urls].map(([name, url]) => `${name}=${url}`);
  const ready = human ? styleText('green', 'ready') : 'ready';
  say(`gatehouse serve: ${ready} ${urls.join(' ')} admin=${gateway.adminUrl}`);
  tellPredecessor();
}
