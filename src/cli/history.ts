/** `gatehouse changes`: who changed what. */
import type { Command } from 'commander';
import { askAdmin } from './adminclient.ts';
import { countOf, documentCommand, EXIT_CODES, print, table, timeOf } from './documents.ts';

/** The command. */
export function changesCommand(): Command {
  return documentCommand('changes', 'list who changed which document of the store, newest first', async (flags) => {
    const { kind, id, who, since, limit } = flags as Record<string, string | undefined>;
    const asked = { kind, id, who, since: timeAgo(since), limit: String(countOf(limit, 100)) };
    const given = Object.entries(asked).filter((one): one is [string, string] => one[1] !== undefined);
    const { value } = await askAdmin(flags, 'GET', `/api/v1/changes?${new URLSearchParams(given)}`);
    const { items } = value as { items: Record<string, unknown>[] };
    if (flags.json) print(JSON.stringify(items));
    else
      table(
        items.map((item) => ({ ...item, changed: differences(item.before, item.after) })),
        ['at', 'who', 'what', 'id', 'changed'],
      );
  })
    .option('--kind <kind>', 'only documents of this kind, such as key')
    .option('--id <id>', 'only the document of this id')
    .option('--who <name>', 'only changes of this caller')
    .option('--since <when>', 'not older: 7d, or 2027-01-31T00:00:00Z')
    .option('--limit <count>', 'at most this many (default: 100)')
    .addHelpText('after', EXIT_CODES);
}

/** `7d` is a week ago. */
function timeAgo(text: string | undefined): string | undefined {
  const time = timeOf(text, '--since');
  if (time === undefined || text === undefined || text.includes('-')) return time;
  return new Date(2 * Date.now() - Date.parse(time)).toISOString();
}

/** Names of the fields that differ. */
function differences(before: unknown, after: unknown): string {
  if (before === undefined) return 'made';
  if (after === undefined) return 'deleted';
  const [was, is] = [before, after] as [Record<string, unknown>, Record<string, unknown>];
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return names.filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name])).join(' ') || 'secret';
}
