/**
 * The test command. `npm test` builds, installs what the tests borrow, lints, and runs every test; `npm run test:quick`
 * builds and runs the tests beside the code and tidy, with nothing installed, in under a minute: all but those that start
 * programs, and long simulations.
 *
 *   node test/run.js [--quick | --only-tests] [PATTERN…]
 *
 * `--only-tests` builds, installs and tests without linting; a PATTERN keeps the test files whose path contains it, and one
 * that begins with `!` leaves them out.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { installDebian, installPeers } from './install.js';

const TOP = dirname(dirname(fileURLToPath(import.meta.url)));
/** Two test files at a time: the suite is meant for two cores, and tests on real sockets need air. */
const CONCURRENCY = 2;
/** One test file that takes longer is stuck. */
const FILE_TIMEOUT_MS = 600_000;

/** From what simulations draw their schedules; see seed.js. */
const SEEDS = ['SIMULATION_SEED', 'QUEUE_SEED', 'SYSTEM_SEED'];

/** Left out of a quick run: what starts programs and servers, and long simulations. */
const SLOW = ['src/cli/', 'src/supervisor/', 'src/store/postgres/', 'src/policy/quota/shared/', '.property.test'];

const flags = process.argv.slice(2).filter((word) => word.startsWith('--'));
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const patterns = words.filter((word) => !word.startsWith('!'));
const without = words.filter((word) => word.startsWith('!')).map((word) => word.slice(1));
if (flags.includes('--quick') && patterns.length === 0) without.push(...SLOW);
const unknown = flags.find((flag) => flag !== '--quick' && flag !== '--only-tests');
if (unknown) {
  console.error(`unknown option ${unknown}: use --quick, --only-tests or parts of test file names`);
  process.exit(2);
}
const quick = flags.includes('--quick');
const lint = !quick && !flags.includes('--only-tests') && words.length === 0;

const bin = (...parts) => join(TOP, 'node_modules', ...parts);
const node = (...args) => {
  const done = spawnSync(process.execPath, args, { cwd: TOP, stdio: ['ignore', 'inherit', 'inherit'] });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`exit ${done.status ?? done.signal}`);
};

/** Test files by their sources, so that what was compiled from a file since removed does not run. */
function testFiles() {
  const roots = quick ? ['src', 'test/tidy', 'test/tidy.test.ts'] : ['src', 'test', 'bench'];
  const sources = [];
  for (const folder of ['src', 'test', 'bench']) {
    if (!existsSync(join(TOP, folder))) continue;
    for (const entry of readdirSync(join(TOP, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && entry.name.endsWith('.test.ts'))
        sources.push(relative(TOP, join(entry.parentPath ?? entry.path, entry.name)));
    }
  }
  return sources
    .filter((path) => roots.some((root) => path === root || path.startsWith(`${root}/`)))
    .filter((path) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)))
    .filter((path) => !without.some((pattern) => path.includes(pattern)))
    .map((path) => join('dist', path.replace(/\.ts$/, '.js')))
    .sort();
}

const steps = [
  ['build', () => node(bin('typescript', 'bin', 'tsc'), '-p', 'tsconfig.json')],
  ['Debian packages', () => installDebian(TOP), !quick],
  ['npm peers', () => installPeers(TOP), !quick],
  ['biome', () => node(bin('@biomejs', 'biome', 'bin', 'biome'), 'check'), lint],
  ['knip', () => node(bin('knip', 'bin', 'knip.js'), '--no-progress'), lint],
  [
    'tests',
    () => {
      const files = testFiles();
      if (files.length === 0) throw new Error(`no test file matches ${words.join(' ')}`);
      const options = ['--test', `--test-concurrency=${CONCURRENCY}`, `--test-timeout=${FILE_TIMEOUT_MS}`];
      if (process.env.CI) {
        options.push(`--import=${pathToFileURL(join(TOP, 'test', 'seed.js'))}`);
        for (const name of SEEDS) process.env[name] ??= '20261122';
      }
      node(...options, '--test-reporter=spec', ...files);
      return `${files.length} files`;
    },
  ],
];

const failed = [];
const lines = [];
for (const [name, run, wanted = true] of steps) {
  if (!wanted) continue;
  // The tests come last and close with Node's own summary: what went before is told before.
  if (name === 'tests') console.log(`${lines.splice(0).join('\n')}\n`);
  console.log(`— ${name}`);
  const start = performance.now();
  let note = '';
  let good = true;
  try {
    note = run() ?? '';
  } catch (error) {
    good = false;
    note = error.message;
    failed.push(name);
  }
  const seconds = (performance.now() - start) / 1000;
  lines.push(`${good ? '✔' : '✖'} ${name.padEnd(16)} ${seconds.toFixed(1).padStart(6)} s  ${note}`);
  // What does not build cannot be tested.
  if (!good && name === 'build') break;
}

console.log(lines.join('\n'));
console.log(`${failed.length === 0 ? 'All good' : `Failed: ${failed.join(', ')}`}, on Node ${process.version}.`);
process.exit(failed.length === 0 ? 0 : 1);
