/** Runs of pairs: the sides of one proxy take turns, or two proxies do. */
import type { PairsReport, ProbeReport, Slice, Target } from '../load/channel.ts';
import { AFTERMATH_MS, cpuOf, turnsOf } from '../load/pairs.ts';
import type { Step, Times } from '../scenarios.ts';
import type { Round } from './figures.ts';
import { loadHttp2 } from './http2load.ts';
import { costs, differences, ratios } from './pairs.ts';
import { memoryOfTree, pidsOfTree } from './process.ts';
import type { Stand } from './stand.ts';
import { median } from './statistics.ts';

/** Requests to each side after which a just-in-time compiler has seen what it needs. */
const WARM_REQUESTS = 15_000;
/** Requests in a turn of h2load. */
const TURN_REQUESTS = 4096;
const MIB = 1024 * 1024;

/** Measures CPU per request of the measured side, and how much more it is than those of the others. */
export async function runPairs(
  stand: Stand,
  { connections, measured, base, carried }: Extract<Step, { kind: 'pairs' }>,
  times: Times,
  round: Round,
): Promise<void> {
  await mustRefuse(stand, round);
  const pids = pidsOfTree(stand.pid);
  const sides = [measured, base, ...(carried ? [carried] : [])];
  const slices = await takeTurns(
    stand,
    sides.map((side) => ({ target: stand.targetOf(side), pids })),
    connections,
    times,
    round,
  );
  const found = costs(slices, sides.length);
  if (found.length === 0) throw new Error('no bout in which every side was answered');
  round.figures.cpu = median(found.map(([cost]) => cost as number));
  round.figures.memory = memoryOfTree(stand.pid) / MIB;
  round.pairs = {
    added: differences(found, 0, 1),
    ...(carried && { carried: differences(found, 2, 1) }),
  };
}

/** Measures how many times as dear as another proxy this one is, both under the same load in turns. */
export async function runBeside(
  stand: Stand,
  other: Stand,
  connections: number,
  times: Times,
  round: Round,
): Promise<void> {
  const sides = [stand, other].map(({ target, pid }) => ({ target, pids: pidsOfTree(pid) }));
  const slices = await takeTurns(stand, sides, connections, times, round);
  round.pairs = { ...round.pairs, beside: ratios(costs(slices, 2), 0, 1) };
}

/** The same over HTTP/2: a turn is one run of h2load, with connections of its own. */
export async function runBesideHttp2(
  stand: Stand,
  other: Stand,
  step: { connections: number; streams: number },
  bytes: number,
  { bouts }: Times,
  round: Round,
): Promise<void> {
  const stands = [stand, other];
  const pids = stands.map(({ pid }) => pidsOfTree(pid));
  const load = async (at: number, requests: number) => {
    const errors = await loadHttp2(stands[at] as Stand, step, { requests }, bytes);
    for (const [what, count] of Object.entries(errors)) round.errors[what] = (round.errors[what] ?? 0) + count;
  };
  for (const at of [0, 1]) await load(at, WARM_REQUESTS);
  const slices: Slice[] = [];
  for (let bout = 0; bout < bouts; bout++) {
    for (const side of turnsOf(2, bout)) {
      const cpu = cpuOf(pids[side] ?? []);
      const began = performance.now();
      await load(side, TURN_REQUESTS);
      const wall = (performance.now() - began) * 1000;
      await new Promise((resolve) => setTimeout(resolve, AFTERMATH_MS));
      slices.push({ side, requests: TURN_REQUESTS, cpu: cpuOf(pids[side] ?? []) - cpu, wall });
    }
  }
  round.pairs = { ...round.pairs, beside: ratios(costs(slices, 2), 0, 1) };
}

async function takeTurns(
  { load }: Stand,
  sides: readonly { target: Target; pids: readonly number[] }[],
  connections: number,
  { bouts, slice, warmUp }: Times,
  round: Round,
): Promise<Slice[]> {
  const order = { do: 'pairs' as const, sides, connections, sliceMs: slice * 1000, bouts };
  const most = 10 * warmUp;
  const seconds = most + 2 * (bouts + 1) * sides.length * (slice + 0.1) + 20;
  const report = await load.ask<PairsReport>({ ...order, warmUp: { requests: WARM_REQUESTS, most } }, seconds);
  for (const [what, count] of Object.entries(report.errors)) round.errors[what] = (round.errors[what] ?? 0) + count;
  return report.slices;
}

/** A guard that lets everybody in is a cheap one. */
async function mustRefuse(stand: Stand, round: Round): Promise<void> {
  const target = stand.targetOf({ route: 'guarded' });
  const { status } = await stand.load.ask<ProbeReport>({ do: 'probe', target });
  if (status !== 401) round.errors[`status ${status} for a caller who shows nothing`] = 1;
}
