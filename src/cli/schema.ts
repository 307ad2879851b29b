/** `gatehouse schema`: prints the JSON Schema of the configuration. */
import { Command } from 'commander';
import { publishedSchema } from '../config/config.ts';

/** The command. */
export function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON Schema (draft 2020-12) of the configuration, for editors and other tools')
    .action(() => {
      process.stdout.write(`${JSON.stringify(publishedSchema(), null, 2)}\n`);
    });
}
