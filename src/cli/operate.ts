/** `gatehouse reload`, `upgrade` and `diff`: what operators ask of a running gateway. */
import { Command } from 'commander';
import { type Outcome, redact } from '../admin/admin.ts';
import { type Config, describeChange, formatProblem, loadConfig } from '../config/config.ts';
import { type AdminFlags, AdminRefusal, askAdmin, withAdmin } from './adminclient.ts';

interface Flags extends AdminFlags {
  against?: string;
  json?: boolean;
}

const print = (line: string) => process.stdout.write(`${line}\n`);

/** A command that asks the admin port. `run` gives the exit code. */
function command(name: string, what: string, run: (flags: Flags) => Promise<number>): Command {
  // diff has a -c of its own.
  return withAdmin(new Command(name).description(what), name !== 'diff')
    .option('--json', 'print the result as JSON')
    .action(async (flags: Flags) => {
      try {
        process.exitCode = await run(flags);
      } catch (error) {
        process.stderr.write(`gatehouse ${name}: ${(error as Error).message}\n`);
        process.exitCode = error instanceof AdminRefusal && name !== 'diff' ? 1 : 2;
      }
    });
}

const EXIT = `
Exit codes:
  0  done
  1  refused: everything is as before, and the reasons are printed
  2  the admin port did not answer`;

/** `gatehouse reload`. */
export function reloadCommand(): Command {
  return command('reload', 'make the running gateway load its configuration anew; print what changed', async (flags) =>
    told(flags, 'reload', await askAdmin(flags, 'POST', '/api/reload')),
  ).addHelpText('after', EXIT);
}

/** `gatehouse upgrade`. */
export function upgradeCommand(): Command {
  return command(
    'upgrade',
    'start the program anew, as it is on the disk by now, and hand over to it without losing a request',
    async (flags) => told(flags, 'upgrade', await askAdmin(flags, 'POST', '/api/upgrade')),
  ).addHelpText('after', EXIT);
}

function told(flags: Flags, name: string, { value }: { value: unknown }): number {
  const outcome = value as Outcome;
  if (flags.json) print(JSON.stringify(outcome));
  else if (!outcome.ok) for (const problem of outcome.problems) print(problem);
  else {
    for (const line of outcome.changes ?? []) print(line);
    const same = outcome.changes?.length === 0 ? 'nothing has changed: ' : '';
    if (name === 'reload') print(`${same}configuration ${outcome.generation} is in force`);
    else print('the new process serves; the old one lets its requests end');
  }
  return outcome.ok ? 0 : 1;
}

const DIFF_HELP = `
Without -c: what a reload of the running gateway would change now, secrets and certificates included.
With -c FILE: what FILE would change in the running gateway; secrets are not compared.
With -c FILE --against OTHER: what would change from OTHER to FILE; no gateway is asked.

Exit codes:
  0  nothing would change
  1  something would; one line for each setting
  2  it cannot be said: a configuration is wrong, or the admin port did not answer`;

/** `gatehouse diff`. */
export function diffCommand(): Command {
  return command('diff', 'print what a reload would change, before it does', diff)
    .option('-c, --config <file>', 'compare this configuration (a file or a folder)')
    .option('--against <file>', 'with this one instead of the running gateway')
    .addHelpText('after', DIFF_HELP);
}

async function diff(flags: Flags): Promise<number> {
  const changes = await changesOf(flags);
  if (flags.json) print(JSON.stringify({ changes }));
  else for (const line of changes) print(line);
  return changes.length > 0 ? 1 : 0;
}

async function changesOf(flags: Flags): Promise<string[]> {
  if (flags.config === undefined) {
    const { value } = await askAdmin(flags, 'GET', '/api/reload');
    const outcome = value as Outcome;
    if (!outcome.ok) throw new Error(`a reload would be refused:\n${outcome.problems?.join('\n')}`);
    return outcome.changes ?? [];
  }
  const after = loaded(flags.config);
  if (flags.against !== undefined) return describeChange(loaded(flags.against), after);
  const { value } = await askAdmin({ ...flags, admin: flags.admin ?? after.admin.address }, 'GET', '/api/config');
  return describeChange(value as Config, redact(after) as Config);
}

function loaded(path: string): Config {
  const result = loadConfig(path);
  if (!result.ok) throw new Error(`${path} is wrong:\n${result.problems.map(formatProblem).join('\n')}`);
  return result.config;
}
