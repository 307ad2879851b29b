/** `gatehouse check`: reads a configuration and tells everything that is wrong with it. */
import { Command } from 'commander';
import { isTokenizerFile } from '../ai/config.ts';
import {
  type Config,
  dataFolder,
  formatProblem,
  type Loaded,
  loadConfig,
  type NotLoaded,
  type Problem,
} from '../config/config.ts';
import { systemClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { openStore } from '../store/open.ts';
import { adminDocuments } from './admindocuments.ts';
import { type Caller, findCaller } from './caller.ts';
import { namedBy } from './countdesk.ts';
import { type Explanation, explain } from './explain.ts';
import { explainAccess } from './explainaccess.ts';
import { explanationLines } from './explanation.ts';
import { loadTokenizer } from './tokenizers.ts';

interface Options {
  config: string;
  explain?: string;
  as?: string;
  store?: boolean;
  admin?: string;
  tokenFile?: string;
  json?: boolean;
}

const HELP = `
A REQUEST is written as [METHOD] URL [model=NAME] [Name:value ...], or as a curl command:
  gatehouse check -c gatehouse.yaml --explain 'POST http://api.example.com/v1/chat/completions model=chat-large'
  gatehouse check -c gatehouse.yaml --explain 'GET /v1/models host:api.example.com x-team:red'
With --as, the steps tell which rule lets this caller pass or refuses it. KEY is a key, the name or id of one, or a token:
  gatehouse check -c gatehouse.yaml --as alice --explain 'POST /v1/chat/completions model=chat-large ip=10.0.0.1'
Nothing is sent. A request that would be refused is explained as well.

Exit codes:
  0  the configuration is right (and the request was explained)
  1  it is wrong, or cannot be read
  2  the configuration is right, but REQUEST is not a request`;

/** The command; exit 0 for a right file, 1 for a wrong one, 2 for a request that cannot be read. */
export function checkCommand(): Command {
  return new Command('check')
    .description('check a configuration; print each problem as file:line:column: path: what, and what to write instead')
    .requiredOption('-c, --config <file>', 'configuration: a file (YAML or JSON), or a folder of them')
    .option('--explain <request>', 'tell which route, model version and servers a request would meet, and why')
    .option('--as <key>', 'with --explain: as whom; tell step by step what this caller may do')
    .option('--store', 'with --as: look into the store as well, for keys, tenants and plans')
    .option('--admin <address>', 'with --as: ask a running gateway instead, at its admin port; keys by their ids')
    .option('--token-file <file>', 'with --admin: file of the admin token; GATEHOUSE_ADMIN_TOKEN when left out')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      process.exitCode = await check(options, (line) => process.stdout.write(`${line}\n`));
    });
}

async function check(options: Options, print: (line: string) => void): Promise<number> {
  const { config: file } = options;
  const result = await withTokenizers(loadConfig(file), file);
  const { ok, warnings } = result;
  const counts = ok ? count(result.config) : {};
  const explained = ok && options.explain !== undefined ? await tryExplain(result.config, options) : undefined;
  const alone = options.as !== undefined && options.explain === undefined;
  const unread = typeof explained === 'string' ? `--explain: ${explained}` : undefined;
  const wrong = alone ? '--as goes with --explain REQUEST: what would it do?' : unread;
  const told = typeof explained === 'object' ? explained : undefined;
  if (options.json) {
    const explanation = wrong === undefined ? { explanation: told } : { error: wrong };
    print(JSON.stringify({ ok, file, counts, problems: ok ? [] : result.problems, warnings, ...explanation }));
  } else {
    if (!ok) for (const problem of result.problems) print(formatProblem(problem));
    for (const warning of warnings) print(formatProblem({ ...warning, message: `warning: ${warning.message}` }));
    if (told) for (const line of explanationLines(told)) print(line);
    else if (ok && wrong === undefined) print(`${file}: ok: ${summary(counts)}`);
  }
  if (wrong !== undefined && !options.json) process.stderr.write(`gatehouse check: ${wrong}\n`);
  if (!ok) return 1;
  return wrong === undefined ? 0 : 2;
}

/** Reads the vocabularies as well: what the package cannot use is told now, and not at the start. */
async function withTokenizers(result: Loaded | NotLoaded, file: string): Promise<Loaded | NotLoaded> {
  if (!result.ok) return result;
  const problems: Problem[] = [];
  for (const path of namedBy(result.config).filter(isTokenizerFile)) {
    const fault = await loadTokenizer(path).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (fault !== undefined)
      problems.push({ file, line: 1, column: 1, path: '', message: `cannot use the tokenizer ${path}: ${fault}` });
  }
  return problems.length === 0 ? result : { ok: false, problems, warnings: result.warnings, sources: result.sources };
}

/** A string: why it is no request. */
async function tryExplain(config: Config, options: Options): Promise<Explanation | string> {
  const { explain: request = '', as, store, admin } = options;
  if (store === true && admin !== undefined) return 'choose one of --store and --admin';
  try {
    if (as === undefined) return explain(config, request);
    const caller = await callerOf(as, config, options);
    return explain(config, request, (route, asked) => explainAccess(config, route, asked, caller, systemClock));
  } catch (error) {
    return (error as Error).message;
  }
}

/** Reads the store, or asks a running gateway, where that is wanted. */
async function callerOf(shown: string, config: Config, options: Options): Promise<Caller> {
  const { admin, tokenFile } = options;
  if (admin !== undefined) {
    const documents = adminDocuments({ admin, ...(tokenFile !== undefined && { tokenFile }) });
    return findCaller(
      shown,
      config,
      documents,
      systemClock.wall(),
      `the gateway at ${admin}, where keys go by their ids`,
    );
  }
  if (options.store !== true) return findCaller(shown, config, undefined, systemClock.wall());
  const store = await openStore(config.store, dataFolder(process.env), { clock: systemClock, events: new Events() });
  try {
    return await findCaller(shown, config, store, systemClock.wall());
  } finally {
    await store.close();
  }
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
