/** `gatehouse token`: tokens that callers show, ended before their time. */
import { Command } from 'commander';
import { create, documentCommand, EXIT_CODES, list, print, table, timeOf, write } from './documents.ts';

const HELP = `
Examples:
  gatehouse token revoke --id 0f8e7d
  gatehouse token revoke --principal login:alice
  gatehouse token revocations
${EXIT_CODES}`;

/** Option → kind of the revocation. */
const KINDS = ['id', 'principal', 'session', 'client', 'family'] as const;

/** The command. */
export function tokenCommand(): Command {
  const token = new Command('token').description('end tokens before their time').addHelpText('after', HELP);
  token.addCommand(
    documentCommand('revoke', 'refuse tokens from now on; workers know within a second', async (flags) => {
      const given = KINDS.filter((kind) => flags[kind] !== undefined);
      const [kind] = given;
      if (kind === undefined || given.length > 1) {
        throw new Error(`expected one of ${KINDS.map((one) => `--${one}`).join(', ')}`);
      }
      const order = {
        kind,
        value: flags[kind],
        issuer: flags.issuer,
        forgetAt: timeOf(flags.forget, '--forget'),
      };
      const made = await create(flags, 'revocations', order);
      if (flags.json) print(JSON.stringify(made));
      else
        print(
          `${made.id}: tokens of ${kind} ${flags[kind]} are refused${kind === 'id' ? '' : ` if issued up to ${made.issuedUpTo}`}`,
        );
    })
      .option('--id <jti>', 'one token, by its jti')
      .option('--principal <name>', 'all tokens of a caller issued so far, as the log names it')
      .option('--session <sid>', 'all tokens of a login')
      .option('--client <id>', 'all tokens of a client')
      .option('--family <id>', 'all tokens that were refreshed from one')
      .option('--issuer <name>', 'only those of this issuer, by its name in the configuration')
      .option('--forget <when>', 'when the tokens have expired anyway: 30d, or 2027-01-31T00:00:00Z'),
  );
  token.addCommand(
    documentCommand('revocations', 'list what is revoked', async (flags) => {
      const items = await list(flags, 'revocations', 100_000);
      if (flags.json) print(JSON.stringify(items));
      else table(items, ['id', 'kind', 'value', 'issuer', 'issuedUpTo', 'forgetAt']);
    }),
  );
  token.addCommand(
    documentCommand('restore', 'take a revocation back', async (flags, [id = '']) => {
      await write(flags, 'DELETE', 'revocations', id);
      if (!flags.json) print(`${id} is taken back`);
    }).argument('<revocation>'),
  );
  return token;
}
