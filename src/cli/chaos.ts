/** `gatehouse chaos`: injects faults into a running gateway, for a while. */
import { Command } from 'commander';
import type { FaultStatus } from '../admin/handle.ts';
import { formatDuration } from '../kernel/limit.ts';
import { type AdminFlags, askAdmin, withAdmin } from './adminclient.ts';

const HELP = `
Every fault ends by itself: --for is required and at most 1h. While one runs, /api/status and \`gatehouse chaos list\`
show it, and the log says when it begins and ends.

Examples:
  gatehouse chaos start --for 5m --percent 10% --abort 503
  gatehouse chaos start --for 5m --name slow-team --header x-team=blue --delay 2s
  gatehouse chaos stop slow-team`;

interface StartFlags extends AdminFlags {
  for: string;
  name?: string;
  route?: string[];
  header?: string[];
  percent?: string;
  delay?: string;
  abort?: string;
  throughput?: string;
  reset?: string;
  malformed?: boolean;
  json?: boolean;
}

/** The command. */
export function chaosCommand(): Command {
  const chaos = new Command('chaos')
    .description('inject faults into a running gateway, for a while')
    .addHelpText('after', HELP);
  withAdmin(chaos.command('start').description('switch a fault on, or replace the one of the same name'))
    .requiredOption('--for <duration>', 'how long it lasts, at most 1h')
    .option('--name <name>', 'its name (default: manual)')
    .option('--route <name...>', 'only requests of these routes')
    .option('--header <name=value...>', 'only requests with this field; * for any value')
    .option('--percent <share>', 'share of those requests, such as 10% (default: all)')
    .option('--delay <duration>', 'wait before forwarding')
    .option('--abort <status>', 'answer with this status instead of forwarding')
    .option('--throughput <size>', 'bytes of the answer per second')
    .option('--reset <size>', 'cut the connection after this many bytes of the answer')
    .option('--malformed', 'spoil the bytes of the answer')
    .option('--json', 'print the answer as JSON')
    .action((flags: StartFlags) => attempt(() => start(flags)));
  withAdmin(chaos.command('list').description('show the faults that are injected now'))
    .option('--json', 'print the answer as JSON')
    .action((flags: AdminFlags & { json?: boolean }) => attempt(() => list(flags)));
  withAdmin(chaos.command('stop').description('switch a fault off; all of them without a name'))
    .argument('[name]')
    .action((name: string | undefined, flags: AdminFlags) => attempt(() => stop(name, flags)));
  return chaos;
}

const say = (line: string) => process.stdout.write(`${line}\n`);

async function attempt(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    process.stderr.write(`gatehouse chaos: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

async function start(flags: StartFlags): Promise<void> {
  const { admin, config, tokenFile, json, header, abort, ...rest } = flags;
  const headers: Record<string, string> = {};
  for (const one of header ?? []) {
    const equals = one.indexOf('=');
    if (equals < 1) throw new Error(`--header ${one}: expected NAME=VALUE, such as x-team=blue`);
    headers[one.slice(0, equals)] = one.slice(equals + 1);
  }
  const order = {
    ...rest,
    ...(header === undefined ? {} : { headers }),
    ...(abort === undefined ? {} : { abort: Number(abort) }),
  };
  const { value } = await askAdmin(flags, 'POST', '/api/chaos', order);
  if (json) say(JSON.stringify(value));
  else say(shown(value as FaultStatus));
}

async function list(flags: AdminFlags & { json?: boolean }): Promise<void> {
  const { value } = await askAdmin(flags, 'GET', '/api/chaos');
  if (flags.json) {
    say(JSON.stringify(value));
    return;
  }
  const { faults } = value as { faults: FaultStatus[] };
  if (faults.length === 0) say('no faults are injected');
  for (const fault of faults) say(shown(fault));
}

async function stop(name: string | undefined, flags: AdminFlags): Promise<void> {
  const query = name === undefined ? '' : `?name=${encodeURIComponent(name)}`;
  const { value } = await askAdmin(flags, 'DELETE', `/api/chaos${query}`);
  say(`stopped: ${(value as { stopped: number }).stopped}`);
}

function shown({ name, what, endsInMs, endsAt }: FaultStatus): string {
  const left =
    endsInMs === undefined
      ? 'by the configuration'
      : `ends in ${formatDuration(Math.ceil(endsInMs / 1000) * 1000)} (${endsAt})`;
  return `${name}: ${what}; ${left}`;
}
