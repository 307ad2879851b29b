/** `gatehouse usage`: what was used, by whom, and what it cost. */
import type { Command } from 'commander';
import { csv, ENTRY_COLUMNS } from '../admin/admin.ts';
import { USAGE_COUNTS } from '../store/ledger.ts';
import { askAdmin } from './adminclient.ts';
import { type DocumentFlags, documentCommand, EXIT_CODES, print, table } from './documents.ts';

const HELP = `
Examples:
  gatehouse usage --by tenant,day --from 2026-11-01 --to 2026-11-30
  gatehouse usage --by tenant,model --format csv > november.csv
  gatehouse usage --entries --tenant acme --format csv
`;

const FILTERS = ['from', 'to', 'tenant', 'key', 'model', 'version', 'route'] as const;
const SHORT = ['at', 'tenant', 'key', 'model', 'inputTokens', 'outputTokens', 'cost', 'status'];

type Rows = Record<string, unknown>[];

/** The command. */
export function usageCommand(): Command {
  return documentCommand('usage', 'sum up what was used: tokens, requests and money', async (flags) => {
    const format = flags.json ? 'json' : String(flags.format ?? 'table');
    if (!['table', 'csv', 'json'].includes(format))
      throw new Error(`--format ${format}: there are table, csv and json`);
    const given: [string, string][] = [];
    for (const name of FILTERS) if (typeof flags[name] === 'string') given.push([name, flags[name]]);
    if (flags.entries === true && flags.by !== undefined)
      throw new Error('--by tells sums apart; leave it or --entries out');
    if (flags.entries === true) return entries(flags, new URLSearchParams(given), format);
    const by = String(flags.by ?? 'tenant,model');
    const { value } = await askAdmin(flags, 'GET', `/api/v1/usage?${new URLSearchParams([['by', by], ...given])}`);
    const { sums, currency } = value as { sums: Rows; currency: string };
    const columns = [...by.split(',').filter((name) => name !== ''), ...USAGE_COUNTS];
    if (format === 'json') print(JSON.stringify(value));
    else if (format === 'csv') process.stdout.write(csv(columns, sums).body);
    else
      table(
        sums.map((row) => ({ ...row, cost: `${row.cost} ${currency}` })),
        columns,
      );
  })
    .option('--by <names>', 'what is told apart: tenant, key, model, version, route, day (default: tenant,model)')
    .option('--from <day>', 'first day, such as 2026-11-01 (UTC)')
    .option('--to <day>', 'last day, included')
    .option('--tenant <name>', 'only of this tenant')
    .option('--key <name>', 'only of this key')
    .option('--model <name>', 'only of this model')
    .option('--version <name>', 'only of this version')
    .option('--route <name>', 'only of this route')
    .option('--entries', 'each request instead of sums')
    .option('--format <format>', 'table, csv or json (default: table)')
    .addHelpText('after', HELP + EXIT_CODES);
}

/** Page after page, so that it does not matter how many there are. */
async function entries(flags: DocumentFlags, query: URLSearchParams, format: string): Promise<void> {
  query.set('limit', '5000');
  for (let first = true; ; first = false) {
    const { value } = await askAdmin(flags, 'GET', `/api/v1/usage/entries?${query}`);
    const { entries: rows, next } = value as { entries: Rows; next?: { since: number; after: string } };
    if (format === 'json') for (const row of rows) print(JSON.stringify(row));
    else if (format === 'csv') {
      const { body } = csv(ENTRY_COLUMNS, rows);
      process.stdout.write(first ? body : body.slice(body.indexOf('\n') + 1));
    } else table(rows, SHORT);
    if (next === undefined) return;
    query.set('since', String(next.since));
    query.set('after', next.after);
  }
}
