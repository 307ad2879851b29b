/** The command line as a whole. Each command lives in the file of its name; this one lists them. */
import { Command } from 'commander';
import { adminsCommand } from './admins.ts';
import { chaosCommand } from './chaos.ts';
import { checkCommand } from './check.ts';
import { demoCommand } from './demo.ts';
import { changesCommand } from './history.ts';
import { keysCommand } from './keys.ts';
import { limitsCommand } from './limits.ts';
import { clientsCommand, domainsCommand, plansCommand, tenantsCommand } from './manage.ts';
import { diffCommand, reloadCommand, upgradeCommand } from './operate.ts';
import { queueCommand } from './queue.ts';
import { schemaCommand } from './schema.ts';
import { serveCommand } from './serve.ts';
import { simulate } from './simulate.ts';
import { storeCommand } from './storecopy.ts';
import { tokenCommand } from './token.ts';
import { usageCommand } from './usage.ts';
import { VERSION } from './version.ts';

const commands: (() => Command)[] = [
  serveCommand,
  demoCommand,
  checkCommand,
  diffCommand,
  reloadCommand,
  upgradeCommand,
  schemaCommand,
  chaosCommand,
  keysCommand,
  adminsCommand,
  tenantsCommand,
  plansCommand,
  domainsCommand,
  clientsCommand,
  tokenCommand,
  changesCommand,
  usageCommand,
  limitsCommand,
  storeCommand,
  queueCommand,
  simulate,
  // One line for each command.
];

/** All commands under their common name, ready to parse arguments. */
export function makeProgram(): Command {
  const program = new Command('gatehouse')
    .description('The front door for AI: one program between people and models.')
    .version(VERSION)
    // What stands behind `limits raise` is for it, not for `limits`.
    .enablePositionalOptions()
    .showHelpAfterError('(add --help to see how it is used)');
  for (const command of commands) program.addCommand(command().copyInheritedSettings(program));
  return program;
}
