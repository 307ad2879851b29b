/** `npm run bench`: named scenarios beside real peers, peers taking turns, figures as ratios to HAProxy. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { HELP, type Options, parseOptions } from './arguments.ts';
import { makeCallers } from './measure/callers.ts';
import { type PeerResult, REFERENCE, type Round, sumErrors, summarise } from './measure/figures.ts';
import { makeCertificate, pin } from './measure/machine.ts';
import { runBeside, runBesideHttp2 } from './measure/pairsround.ts';
import { runRound } from './measure/round.ts';
import { type Ground, openStand, reasonToSkip, type Stand } from './measure/stand.ts';
import { caddy } from './peers/caddy.ts';
import { DIRECT, direct } from './peers/direct.ts';
import { gatehousePeers } from './peers/gatehouse.ts';
import { haproxy } from './peers/haproxy.ts';
import { repositoryRoot } from './peers/install.ts';
import { nginx } from './peers/nginx.ts';
import type { Peer } from './peers/peer.ts';
import { portkey } from './peers/portkey.ts';
import { undici } from './peers/undici.ts';
import { type Baseline, compare, merge, notCompared, toBaseline } from './report/baseline.ts';
import { renderScenario, type ScenarioResult } from './report/table.ts';
import { FULL, QUICK, SCENARIOS, type Scenario } from './scenarios.ts';
import { runTrial } from './trial/trial.ts';

const say = (line: string) => process.stderr.write(`${line}\n`);

/** The peers asked for, with the reference and the direct run, in the order of taking turns. */
function choosePeers(wanted: readonly string[]): Peer[] {
  const all = [direct, haproxy, ...gatehousePeers(), nginx, caddy, undici, portkey];
  const unknown = wanted.filter((name) => !all.some((peer) => peer.name.startsWith(name)));
  if (unknown.length > 0) {
    throw new Error(`no peer ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`);
  }
  const always = ({ name }: Peer) => name === DIRECT || name === REFERENCE;
  return all.filter((peer) => wanted.length === 0 || always(peer) || wanted.some((name) => peer.name.startsWith(name)));
}

interface Entry {
  peer: Peer;
  rounds: Round[];
  stand?: Stand | undefined;
  skipped?: string;
}

async function runScenario(scenario: Scenario, peers: readonly Peer[], options: Options, ground: Ground) {
  const entries: Entry[] = peers.map((peer) => {
    const skipped = reasonToSkip(peer, scenario, ground.certificate);
    return { peer, rounds: [], ...(skipped !== undefined && { skipped }) };
  });
  const times = options.quick ? QUICK : FULL;
  try {
    for (let round = 0; round < options.rounds; round++) {
      for (const entry of entries) {
        if (entry.skipped !== undefined) continue;
        say(`${scenario.name}: round ${round + 1} of ${options.rounds}: ${entry.peer.name}`);
        const taken = await takeTurn(entry, scenario, ground, times);
        await goBeside(entry, entries, scenario, taken, times);
        entry.rounds.push(taken);
      }
    }
  } finally {
    for (const { stand } of entries) await stand?.close();
  }
  return toResult(scenario, entries);
}

/** One round of one peer; a peer that does not work has its reason among the errors, and the run goes on. */
async function takeTurn(entry: Entry, scenario: Scenario, ground: Ground, times: typeof FULL): Promise<Round> {
  try {
    if (scenario.trial) return await runTrial(entry.peer, scenario.trial, ground, times);
    if (entry.stand && !entry.stand.alive()) {
      await entry.stand.close();
      entry.stand = undefined;
    }
    entry.stand ??= await openStand(entry.peer, scenario, ground);
    return await runRound(entry.stand, scenario, times);
  } catch (error) {
    return { figures: {}, errors: { [error instanceof Error ? error.message : String(error)]: 1 } };
  } finally {
    if (scenario.fresh) {
      await entry.stand?.close();
      entry.stand = undefined;
    }
  }
}

/** Where HAProxy stands as well, the two get the same load in turns: what slows the machine slows both. */
async function goBeside(
  { peer, stand }: Entry,
  entries: readonly Entry[],
  { beside, steps, requestBytes }: Scenario,
  round: Round,
  times: typeof FULL,
): Promise<void> {
  const other = entries.find((entry) => entry.peer.name === REFERENCE)?.stand;
  if (beside === undefined || !stand || !other || stand === other || stand.pid === 0 || peer.isolate) return;
  const http2 = steps.find((step) => step.kind === 'http2');
  const closed = steps.find((step) => step.kind === 'closed');
  try {
    if (http2) await runBesideHttp2(stand, other, http2, requestBytes, times, round);
    else if (closed) await runBeside(stand, other, closed.connections, times, round);
  } catch (error) {
    round.errors[error instanceof Error ? error.message : String(error)] = 1;
  }
}

function toResult(scenario: Scenario, entries: readonly Entry[]): ScenarioResult {
  const straight = entries.find(({ peer }) => peer.name === DIRECT);
  for (const { peer, rounds } of entries) {
    if (peer.name !== DIRECT)
      rounds.forEach((round, at) => {
        subtract(round, straight?.rounds[at]);
      });
  }
  const reference = entries.find(({ peer }) => peer.name === REFERENCE)?.rounds;
  const peers = entries
    .filter(({ peer, skipped }) => peer.name !== DIRECT || skipped === undefined)
    .map(({ peer, rounds, skipped }): PeerResult => {
      const figures = summarise(rounds, peer.name === DIRECT ? undefined : reference);
      const result = { peer: peer.name, version: peer.version() ?? '', figures, errors: sumErrors(rounds) };
      return { ...result, ...(skipped !== undefined && { skipped }) };
    });
  const { name, title, unit, over } = scenario;
  return { scenario: name, title, unit, peers, ...(over !== undefined && { over }) };
}

/** Makes a round's latencies added ones; without a direct run in the same round there are none. */
function subtract({ figures }: Round, straight: Round | undefined): void {
  for (const key of ['p50', 'p99'] as const) {
    const [value, base] = [figures[key], straight?.figures[key]];
    if (value !== undefined && base !== undefined) figures[key] = value - base;
    else delete figures[key];
  }
}

const baselineFile = (name: string) => join(repositoryRoot, 'bench', `${name}.json`);

function readBaseline(name: string): Baseline | undefined {
  const file = baselineFile(name);
  if (!existsSync(file)) return undefined;
  const baseline = JSON.parse(readFileSync(file, 'utf8')) as Baseline;
  if (baseline.version !== 1) throw new Error(`${file}: version ${baseline.version} is not known; save it anew`);
  return baseline;
}

/** Says what moved. @returns whether nothing got dearer. */
function report(results: readonly ScenarioResult[], baseline: Baseline, name: string): boolean {
  const changes = compare(results, baseline);
  for (const { scenario, peer, measure, kind, before, after, band } of changes) {
    const moved = `${before.toFixed(2)}× → ${after.toFixed(2)}× HAProxy (noise band ±${Math.round(band * 100)}%)`;
    say(`${kind.toUpperCase()}: ${scenario}/${peer} ${measure}: ${moved}`);
  }
  for (const what of notCompared(results, baseline))
    say(`not compared: ${what} (no ratio here or in bench/${name}.json)`);
  if (changes.length === 0) say(`nothing moved beyond its noise band against bench/${name}.json (${baseline.about})`);
  return changes.every(({ kind }) => kind === 'cheaper');
}

async function main(): Promise<number> {
  // HAProxy and nginx live in sbin, which is not on every user's path.
  process.env.PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const options = parseOptions(
    process.argv.slice(2),
    SCENARIOS.map(({ name }) => name),
  );
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const against = options.against === undefined ? undefined : readBaseline(options.against);
  if (options.against !== undefined && !against) {
    throw new Error(`no ${baselineFile(options.against)}: write it with --save ${options.against}`);
  }
  const peers = choosePeers(options.peers);
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const pinning = pin();
  const about = `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, Linux ${release()}`;
  say(about);
  const [load = 0] = loadavg();
  if (load > 0.5) say(`this machine is busy (load ${load.toFixed(1)}): figures and ratios are only a hint`);
  if (pinning.proxy.length === 0) say('not pinned: without taskset and two cores the figures are noisier');
  const ground: Ground = { folder, pinning, certificate: makeCertificate(folder), callers: makeCallers(folder) };
  const results: ScenarioResult[] = [];
  for (const scenario of SCENARIOS) {
    if (options.scenarios.length > 0 && !options.scenarios.includes(scenario.name)) continue;
    const result = await runScenario(scenario, peers, options, ground);
    results.push(result);
    if (!options.json) process.stdout.write(`${renderScenario(result)}\n`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ about, rounds: options.rounds, results }, null, 2)}\n`);
  if (options.save !== undefined) {
    if (options.rounds < 3) say('a baseline of fewer than 3 rounds knows nothing of its own noise: save full runs');
    const baseline = merge(readBaseline(options.save), toBaseline(results, about));
    writeFileSync(baselineFile(options.save), `${JSON.stringify(baseline, null, 2)}\n`);
  }
  return against && !report(results, against, options.against ?? '') ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
