/** `gatehouse admins`: tokens of admin callers. */
import { Command } from 'commander';
import { deleteCommand, showCommand, switchCommand } from './documentparts.ts';
import { create, documentCommand, EXIT_CODES, list, print, remark, table, timeOf } from './documents.ts';

const HELP = `
Tokens hold where the configuration has admin.access; the command line takes its own from GATEHOUSE_ADMIN_TOKEN.

Examples:
  GATEHOUSE_ADMIN_TOKEN=$(gatehouse admins create --name alice --role admin)
  gatehouse admins create --name acme-portal --role operator --tenant acme --scope inference
${EXIT_CODES}`;

/** The command. */
export function adminsCommand(): Command {
  const admins = new Command('admins').description('manage who may ask the admin port').addHelpText('after', HELP);
  admins.addCommand(
    documentCommand('create', 'make a token; it is printed once, and kept as a hash', async (flags) => {
      const { name, role, tenant, scope, expires } = flags;
      const order = { name, role, tenant, scopes: scope, expiresAt: timeOf(expires, '--expires') };
      const made = await create(flags, 'admins', order);
      if (flags.json) print(JSON.stringify(made));
      else {
        remark(`${made.id} (${made.role}) made. This is the token; it is shown now and never again:`);
        print(String(made.token));
      }
    })
      .requiredOption('--name <name>', 'whom it stands for, in the history and the log')
      .requiredOption('--role <role>', 'viewer looks, operator runs things and manages keys, admin may do everything')
      .option('--tenant <name>', 'only keys of this customer')
      .option('--scope <name...>', 'scopes that it may give to keys, with --tenant')
      .option('--expires <when>', 'not valid from then on: 90d, or 2027-01-31T00:00:00Z'),
  );
  admins.addCommand(
    documentCommand('list', 'list tokens', async (flags) => {
      const items = await list(flags, 'admins', 10_000);
      if (flags.json) print(JSON.stringify(items));
      else table(items, ['id', 'name', 'role', 'tenant', 'hint', 'expiresAt', 'disabled']);
    }),
  );
  admins.addCommand(showCommand('admins', 'show one token, without its secret'));
  admins.addCommand(switchCommand('admins', 'enable', 'switch a token on again'));
  admins.addCommand(switchCommand('admins', 'disable', 'switch a token off'));
  admins.addCommand(deleteCommand('admins', 'end a token for good'));
  return admins;
}
