/** `gatehouse store`: the file in which state is kept. */
import { Command } from 'commander';
import { dataFolder, formatProblem, loadConfig } from '../config/config.ts';
import { systemClock } from '../kernel/clock.ts';
import { openStore } from '../store/open.ts';

const HELP = `
The copy is whole and consistent, also while a gateway runs. It holds hashes of keys and keys of domains: keep it as
safe as the store itself. For PostgreSQL use pg_dump.

Exit codes:
  0  done
  1  the configuration is wrong, or the store cannot be copied`;

/** The command. */
export function storeCommand(): Command {
  const store = new Command('store').description('look after the store');
  store
    .command('copy')
    .description('write a copy of the store (SQLite) to a file that does not exist yet')
    .argument('<file>')
    .requiredOption('-c, --config <file>', 'configuration that says where the store is')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: { config: string }) => {
      try {
        await copy(file, flags.config);
      } catch (error) {
        process.stderr.write(`gatehouse store copy: ${(error as Error).message}\n`);
        process.exitCode = 1;
      }
    });
  return store;
}

async function copy(file: string, path: string): Promise<void> {
  const loaded = loadConfig(path);
  if (!loaded.ok) throw new Error(`${path} is wrong:\n${loaded.problems.map(formatProblem).join('\n')}`);
  const store = await openStore(loaded.config.store, dataFolder(process.env), { clock: systemClock });
  try {
    await store.copyTo(file);
    process.stdout.write(`${store.place} is copied to ${file}\n`);
  } finally {
    await store.close();
  }
}
