/** `gatehouse keys`: API keys of a running gateway. */
import type { Command } from 'commander';
import { deleteCommand, switchCommand } from './documentparts.ts';
import {
  AskingCommand,
  assignments,
  countOf,
  create,
  type DocumentFlags,
  documentCommand,
  EXIT_CODES,
  facts,
  list,
  MOST_LISTED,
  print,
  remark,
  type Shown,
  show,
  table,
  timeOf,
  write,
} from './documents.ts';

const HELP = `
Examples:
  KEY=$(gatehouse keys create --principal alice --tenant acme --scope inference --expires 90d)
  gatehouse keys list --tenant acme
  gatehouse keys rotate key_8fKq20Zb1xVh --overlap 7d
  gatehouse keys revoke key_8fKq20Zb1xVh
${EXIT_CODES}`;

/** The command. */
export function keysCommand(): Command {
  const keys = new AskingCommand('keys').description('manage API keys of a running gateway').addHelpText('after', HELP);
  keys.addCommand(
    granting(
      documentCommand('create', 'make a key; it is printed once, and kept as a hash', async (flags) => {
        const { principal, id, trial, test } = flags;
        const order = { principal, ...granted(flags), trial, mode: test === true ? 'test' : 'live' };
        told(flags, await create(flags, 'keys', { ...order, ...(id === undefined ? {} : { id }) }), 'made');
      }).requiredOption('--principal <name>', 'whom it stands for'),
    )
      .option('--tenant <name>', 'customer that it belongs to')
      .option('--id <id>', 'its public name, made up when left out')
      .option('--test', 'begin it with gh_test_')
      .option('--trial', 'mark it as one of a trial'),
  );
  keys.addCommand(
    documentCommand('list', 'list keys, by id', async (flags) => {
      const items = await list(flags, 'keys', countOf(flags.limit, MOST_LISTED), flags.tenant as string | undefined);
      if (flags.json) print(JSON.stringify(items));
      else
        table(items.map(stated), ['id', 'principal', 'tenant', 'plan', 'hint', 'state', 'expiresAt', 'scopes', 'name']);
    })
      .option('--tenant <name>', 'only those of this customer')
      .option('--limit <count>', `at most this many (default: ${MOST_LISTED})`),
  );
  keys.addCommand(
    documentCommand('show', 'show one key, and when it was used last', async (flags, [id = '']) => {
      shown(flags, await show(flags, 'keys', id));
    }).argument('<id>'),
  );
  keys.addCommand(
    granting(
      documentCommand('change', 'change what a key may do; what is left out stays', async (flags, [id = '']) => {
        shown(
          flags,
          await write(flags, 'PATCH', 'keys', id, {
            ...granted(flags),
            ...(flags.expires === 'never' && { expiresAt: null }),
          }),
        );
      }),
    ).argument('<id>'),
  );
  keys.addCommand(
    documentCommand(
      'rotate',
      'make a key that may do the same, and let the old one expire',
      async (flags, [id = '']) => {
        const order = flags.overlap === undefined ? {} : { overlap: flags.overlap };
        told(flags, await write(flags, 'POST', 'keys', id, order, '/rotate'), `takes the place of ${id}`);
      },
    )
      .argument('<id>')
      .option('--overlap <duration>', 'how long the old key goes on (default: 24h)'),
  );
  keys.addCommand(
    documentCommand('revoke', 'refuse a key from now on; workers know within a second', async (flags, [id = '']) => {
      const answer = await write(flags, 'POST', 'keys', id, {}, '/revoke');
      if (flags.json) print(JSON.stringify(answer));
      else print(`${id} is revoked`);
    }).argument('<id>'),
  );
  keys.addCommand(switchCommand('keys', 'enable', 'switch a key on again that was disabled or revoked'));
  keys.addCommand(switchCommand('keys', 'disable', 'switch a key off'));
  keys.addCommand(deleteCommand('keys', 'forget a key; revoke it first where it may be in use'));
  return keys;
}

/** Adds what a key may do. */
function granting(command: Command): Command {
  return command
    .option('--name <text>', 'what people call it')
    .option('--plan <name>', 'plan in force; that of the tenant when left out')
    .option('--scope <name...>', 'what it may do')
    .option('--role <name...>', 'roles, for rules of permission')
    .option('--model <name...>', 'models that may be asked for, a trailing * matching any ending')
    .option('--priority <class>', 'its requests are never more important: realtime, batch, test, or 0 to 100')
    .option('--network <address...>', 'addresses and networks it may be used from')
    .option('--label <name=value...>', 'anything else; rules may read it')
    .option('--expires <when>', 'not valid from then on: 90d, or 2027-01-31T00:00:00Z; or never')
    .option('--not-before <when>', 'not valid before');
}

function granted(flags: Record<string, unknown>): Record<string, unknown> {
  const { name, plan, scope, role, model, network, label, expires, notBefore, tenant, priority } = flags;
  const all = {
    name,
    tenant,
    plan,
    scopes: scope,
    roles: role,
    models: model,
    priority: typeof priority === 'string' && /^\d+$/.test(priority) ? Number(priority) : priority,
    networks: network,
    labels: assignments(label, '--label', false),
    expiresAt: expires === 'never' ? undefined : timeOf(expires, '--expires'),
    notBefore: timeOf(notBefore, '--not-before'),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

const stated = (key: Shown): Shown => {
  const expired = typeof key.expiresAt === 'string' && Date.parse(key.expiresAt) <= Date.now();
  return { ...key, state: key.disabled === true ? 'off' : expired ? 'expired' : 'valid' };
};

function shown(flags: DocumentFlags, key: Shown): void {
  if (flags.json) print(JSON.stringify(key));
  else facts(stated(key));
}

/** The key alone on standard output, so that a script can take it. */
function told(flags: DocumentFlags, made: Shown, how: string): void {
  if (flags.json) {
    print(JSON.stringify(made));
    return;
  }
  remark(`${made.id} for ${made.principal} ${how}. This is the key; it is shown now and never again:`);
  print(String(made.key));
}
