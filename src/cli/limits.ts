/** `gatehouse limits`: who is near which limit; a key gets more for a time, or begins anew. */
import type { Command } from 'commander';
import { askAdmin } from './adminclient.ts';
import { countOf, documentCommand, EXIT_CODES, print, remark, table } from './documents.ts';

interface Standing extends Record<string, unknown> {
  share: number;
  resetMs: number;
}

interface Listed {
  limits: Standing[];
  overrides: Record<string, unknown>[];
  nodes?: { all: number; missing: number };
}

/** The command with its parts. */
export function limitsCommand(): Command {
  const list = documentCommand('limits', 'show who is near which limit or budget, the nearest first', async (flags) => {
    const { value } = await askAdmin(flags, 'GET', `/api/v1/limits?limit=${countOf(flags.limit, 100)}`);
    const { limits, overrides, nodes } = value as Listed;
    if (flags.json) return print(JSON.stringify(value));
    const rows = limits.map((one) => ({
      ...one,
      share: `${Math.round(one.share * 100)} %`,
      reset: `${Math.ceil(one.resetMs / 1000)} s`,
    }));
    table(rows, ['rule', 'key', 'used', 'limit', 'share', 'reset']);
    if (nodes !== undefined && nodes.missing > 0) {
      const part = 'of limits with onStoreLoss: localShare their part is held back, for at most ten minutes';
      print(`\n${nodes.missing} of ${nodes.all} nodes that share limits are missing: ${part}`);
    }
    if (overrides.length === 0) return;
    print('\nChanged by operators:');
    table(overrides, ['rule', 'key', 'limit', 'until']);
  })
    .option('--limit <count>', 'at most this many (default: 100)')
    .addHelpText('after', EXIT_CODES);
  const act = (name: string, what: string) =>
    documentCommand(name, what, async (flags, [rule, key]) => {
      const { to, by, for: time } = flags;
      const { value } = await askAdmin(flags, 'POST', `/api/v1/limits/${name}`, { rule, key, to, by, for: time });
      const { note } = value as { note?: string };
      if (note !== undefined) remark(note);
      print(flags.json ? JSON.stringify(value) : `${rule} of ${key}: ${DONE[name]}`);
    })
      .argument('<rule>', 'name of the limit or budget, as `gatehouse limits` shows it')
      .argument('<key>', 'its key, as shown there; * for a limit that all share')
      .addHelpText('after', EXIT_CODES);
  list.addCommand(
    act('raise', 'give one key another amount for a time; it holds through reloads and restarts')
      .option('--to <amount>', 'this much instead')
      .option('--by <amount>', 'so much more')
      .requiredOption('--for <time>', 'for how long, such as 1h; at most 31d'),
  );
  list.addCommand(act('restore', 'end another amount before its time'));
  list.addCommand(act('release', 'forget what was counted for one key'));
  return list;
}

const DONE: Readonly<Record<string, string>> = {
  raise: 'has another amount from now on',
  restore: 'is as the configuration has it again',
  release: 'begins anew',
};
