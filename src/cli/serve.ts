/** `gatehouse serve`: runs the gateway of a configuration file until it is told to stop. */
import { styleText } from 'node:util';
import { Command } from 'commander';
import { formatProblem, loadConfig } from '../config/config.ts';
import { systemClock } from '../kernel/clock.ts';
import { parseDuration } from '../kernel/limit.ts';
import { createOpLog } from '../observe/observe.ts';
import type { Gateway } from './gateway.ts';
import { startUnlessStopped, stopOnSignal } from './signals.ts';
import { watchFiles } from './watch.ts';

const HELP = `
The ready line and notices go to standard error; standard output belongs to the access log.

Signals:
  SIGTERM, SIGINT  stop: no new connections, requests under way may end (see --drain); a second one ends at once
  SIGHUP           load the configuration anew; when it is wrong, the old one stays and the reason is printed;
                   the access log file is opened anew as well
                   (a changed file, certificates included, does the same within two seconds)
  SIGUSR2          open the access log file anew, after it was renamed

Exit codes:
  0  stopped as told
  1  did not start: the configuration is wrong, an address is taken, or the workers do not come up
  2  ended by a second signal, with requests under way cut off`;

/** Milliseconds between two looks at the configuration's files. */
const WATCH_MS = 1000;

interface Flags {
  config: string;
  drain: string;
}

/** The command. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway')
    .requiredOption('-c, --config <file>', 'configuration file (YAML or JSON)')
    .option('--drain <duration>', 'how long requests under way may take to end after SIGTERM', '30s')
    .addHelpText('after', HELP)
    .action(serve);
}

async function serve(flags: Flags): Promise<void> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const drainMs = parseDuration(flags.drain);
  if (drainMs === undefined) {
    say(`gatehouse serve: --drain ${flags.drain}: expected a duration, such as 30s`);
    process.exitCode = 1;
    return;
  }
  let sources: readonly string[] = [];
  const load = () => {
    const result = loadConfig(flags.config);
    sources = result.sources;
    return result;
  };
  const loaded = load();
  for (const warning of loaded.warnings) say(formatProblem({ ...warning, message: `warning: ${warning.message}` }));
  if (!loaded.ok) {
    for (const problem of loaded.problems) say(formatProblem(problem));
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
  let gateway: Gateway | undefined;
  const files = watchFiles(
    () => sources,
    WATCH_MS,
    () => void gateway?.reload(),
  );
  process.on('SIGHUP', () => {
    files.seen();
    void gateway?.reload();
    void gateway?.reopenLog();
  });
  process.on('SIGUSR2', () => void gateway?.reopenLog());
  const tell = (text: string) => notice({ level: 'info', message: text });
  try {
    gateway = await startUnlessStopped({ loaded, load, notice }, tell);
  } catch (error) {
    say(`gatehouse serve: not started: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
  if (!gateway) return process.exit();
  stopOnSignal(gateway, drainMs, tell);
  const urls = [...gateway.urls].map(([name, url]) => `${name}=${url}`);
  const ready = human ? styleText('green', 'ready') : 'ready';
  say(`gatehouse serve: ${ready} ${urls.join(' ')} admin=${gateway.adminUrl}`);
}
