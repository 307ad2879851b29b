/** `gatehouse check`: reads a configuration and tells everything that is wrong with it. */
import { Command } from 'commander';
import { type Config, formatProblem, loadConfig } from '../config/config.ts';

interface Options {
  config: string;
  json?: boolean;
}

/** The command; exit 0 for a right file, 1 for a wrong one. */
export function checkCommand(): Command {
  return new Command('check')
    .description('check a configuration; print each problem as file:line:column: path: what, and what to write instead')
    .requiredOption('-c, --config <file>', 'configuration file (YAML or JSON)')
    .option('--json', 'print the result as JSON')
    .action((options: Options) => {
      process.exitCode = check(options, (line) => process.stdout.write(`${line}\n`));
    });
}

function check(options: Options, print: (line: string) => void): number {
  const result = loadConfig(options.config);
  const counts = result.ok ? count(result.config) : {};
  if (options.json) {
    const { ok, warnings } = result;
    print(JSON.stringify({ ok, file: options.config, counts, problems: result.ok ? [] : result.problems, warnings }));
    return ok ? 0 : 1;
  }
  if (!result.ok) for (const problem of result.problems) print(formatProblem(problem));
  for (const warning of result.warnings) {
    print(formatProblem({ ...warning, message: `warning: ${warning.message}` }));
  }
  if (result.ok) print(`${options.config}: ok: ${summary(counts)}`);
  return result.ok ? 0 : 1;
}

function count(config: Config): Record<string, number> {
  const size = (part: object) => Object.keys(part).length;
  return {
    listener: size(config.listeners),
    upstream: size(config.upstreams),
    endpoint: Object.values(config.upstreams).reduce((sum, upstream) => sum + upstream.endpoints.length, 0),
    model: size(config.models),
    route: config.routes.length,
  };
}

function summary(counts: Record<string, number>): string {
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([what, n]) => `${n} ${what}${n === 1 ? '' : 's'}`)
    .join(', ');
}
