/** The bench's command line. */
import { parseArgs } from 'node:util';

/** What was asked for. */
export interface Options {
  /** Names of scenarios; all when empty. */
  scenarios: string[];
  /** Names of peers or their beginnings, such as `gatehouse`; all when empty. The reference is always added. */
  peers: string[];
  rounds: number;
  quick: boolean;
  json: boolean;
  /** Name of the baseline to write, or undefined. */
  save?: string;
  /** Name of the baseline to compare with, or undefined. */
  against?: string;
  help: boolean;
}

/** What `--help` prints. */
export const HELP = `npm run bench -- [options]

  --scenario NAME[,NAME…]   only these scenarios (default: all)
  --peer NAME[,NAME…]       only these peers; a beginning will do: gatehouse; haproxy always runs as the reference
  --rounds N                rounds per scenario, peers taking turns in each (default: 3; with --quick 1)
  --quick                   short rounds, for a first look
  --json                    results as JSON on standard output instead of tables
  --save NAME               write bench/NAME.json, for later comparison
  --against NAME            compare ratios with bench/NAME.json; exit 1 when something got dearer
  --help                    this text

GATEHOUSE_NODE=/a/node:/b/node runs Gatehouse once on each of these Node binaries; GATEHOUSE_CLI=/path/cli.js another build.
npm run bench:peers installs the peers that come from npm.
`;

const list = (values: string[] | undefined) => (values ?? []).flatMap((value) => value.split(',')).filter(Boolean);

/**
 * Reads the arguments after `node bench.js`.
 * @param known names of the scenarios there are.
 * @throws Error that says what is wrong and what there is.
 */
export function parseOptions(args: string[], known: readonly string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      scenario: { type: 'string', multiple: true },
      peer: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      save: { type: 'string' },
      against: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const scenarios = list(values.scenario);
  const unknown = scenarios.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.join(', ')}; there are ${known.join(', ')}`);
  const rounds = values.rounds === undefined ? (values.quick ? 1 : 3) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new Error(`--rounds ${values.rounds}: expected a whole number from 1 to 100, such as 5`);
  }
  for (const name of [values.save, values.against]) {
    if (name !== undefined && !/^[A-Za-z0-9._-]+$/.test(name)) {
      throw new Error(`${name}: expected the name of a baseline, such as baseline`);
    }
  }
  return {
    ...{ scenarios, peers: list(values.peer), rounds, quick: values.quick, json: values.json, help: values.help },
    ...(values.save !== undefined && { save: values.save }),
    ...(values.against !== undefined && { against: values.against }),
  };
}
