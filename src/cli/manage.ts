/** `gatehouse tenants`, `plans` and `domains`: documents that are written as YAML, or field by field. */
import type { Command } from 'commander';
import { deleteCommand, showCommand } from './documentparts.ts';
import {
  AskingCommand,
  assignments,
  countOf,
  create,
  documentCommand,
  documentIn,
  EXIT_CODES,
  facts,
  list,
  MOST_LISTED,
  print,
  remark,
  table,
  write,
} from './documents.ts';

/** What a command manages. */
interface Managed {
  /** In paths, and the command's name. */
  readonly name: string;
  readonly one: string;
  readonly what: string;
  readonly columns: readonly string[];
  readonly example: string;
}

/** A command that lists, shows, makes, changes and deletes documents of one kind. */
function manageCommand({ name, one, what, columns, example }: Managed): Command {
  const command = new AskingCommand(name).description(what);
  command.addHelpText('after', `\nExamples:\n${example}\n${EXIT_CODES}`);
  command.addCommand(
    documentCommand('list', `list ${name}, by id`, async (flags) => {
      const items = await list(flags, name, countOf(flags.limit, MOST_LISTED), flags.tenant as string | undefined);
      if (flags.json) print(JSON.stringify(items));
      else table(items, columns);
    })
      .option('--tenant <name>', 'only those of this customer')
      .option('--limit <count>', `at most this many (default: ${MOST_LISTED})`),
  );
  command.addCommand(showCommand(name, `show one ${one}`));
  const written = (flags: Record<string, unknown>) => ({
    ...documentIn(flags.file),
    ...assignments(flags.set, '--set', true),
  });
  const writing = (part: Command) =>
    part
      .argument('<id>')
      .option('-f, --file <file>', 'the document, as YAML or JSON; - is standard input')
      .option('--set <name=value...>', 'one of its fields; the value is YAML, and dots go deeper');
  command.addCommand(
    writing(
      documentCommand('create', `make a ${one}`, async (flags, [id = '']) => {
        const made = await create(flags, name, { ...written(flags), id });
        if (flags.json) print(JSON.stringify(made));
        else if (made.secret === undefined) print(`${made.id} is made`);
        else {
          remark(`${made.id} is made. This is its secret; it is shown now and never again:`);
          print(String(made.secret));
        }
      }),
    ),
  );
  command.addCommand(
    writing(
      documentCommand(
        'change',
        `change a ${one}; what is left out stays, null takes away`,
        async (flags, [id = '']) => {
          const answer = await write(flags, 'PATCH', name, id, written(flags));
          if (flags.json) print(JSON.stringify(answer));
          else facts(answer);
        },
      ),
    ),
  );
  command.addCommand(deleteCommand(name, `delete a ${one}`));
  return command;
}

/** `gatehouse tenants`. */
export const tenantsCommand = (): Command =>
  manageCommand({
    name: 'tenants',
    one: 'tenant',
    what: 'manage tenants: customers with a plan, keys, domains and limits of their own',
    columns: ['id', 'name', 'plan', 'trialEndsAt', 'domains', 'disabled'],
    example: `  gatehouse tenants create acme --set plan=team --set name='Acme Inc.'
  gatehouse tenants change acme --set plan=enterprise
  gatehouse tenants change acme --set disabled=true`,
  });

/** `gatehouse plans`. */
export const plansCommand = (): Command =>
  manageCommand({
    name: 'plans',
    one: 'plan',
    what: 'manage plans: what the callers of a tenant may do, and how much',
    columns: ['id', 'name', 'trialPeriod', 'permissions', 'limits'],
    example: `  gatehouse plans create team -f team.yaml
  gatehouse plans change team --set permissions.maxTokens=4096`,
  });

/** `gatehouse domains`. */
export const domainsCommand = (): Command =>
  manageCommand({
    name: 'domains',
    one: 'domain',
    what: "manage customers' own domains and their certificates",
    columns: ['id', 'tenant', 'listener', 'acme'],
    example: `  gatehouse domains create chat.example.com --set tenant=acme --set acme=true
  gatehouse domains create ai.example.org -f domain.yaml`,
  });

/** `gatehouse clients`. */
export const clientsCommand = (): Command =>
  manageCommand({
    name: 'clients',
    one: 'client',
    what: 'manage clients of the token service: programs that ask for tokens',
    columns: ['id', 'name', 'tenant', 'plan', 'grants', 'scopes', 'public', 'disabled'],
    example: `  SECRET=$(gatehouse clients create batch --set tenant=acme --set 'scopes=[inference]')
  gatehouse clients create cli --set public=true --set 'grants=[device, refresh]'`,
  });
