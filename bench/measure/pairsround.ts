/** The step of a round in which the sides of one proxy take turns. */
import type { PairsReport, ProbeReport } from '../load/channel.ts';
import type { Step, Times } from '../scenarios.ts';
import type { Round } from './figures.ts';
import { costs, differences } from './pairs.ts';
import { memoryOfTree, pidsOfTree } from './process.ts';
import type { Stand } from './stand.ts';
import { median } from './statistics.ts';

/** Requests to each side after which a just-in-time compiler has seen what it needs. */
const WARM_REQUESTS = 15_000;
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
  const { bouts, slice } = times;
  const warmUp = { requests: WARM_REQUESTS, most: 10 * times.warmUp };
  const seconds = warmUp.most + 2 * (bouts + 1) * sides.length * (slice + 0.1) + 20;
  const order = { do: 'pairs' as const, connections, sliceMs: slice * 1000, bouts, warmUp };
  const { slices, errors } = await stand.load.ask<PairsReport>(
    { ...order, sides: sides.map((side) => ({ target: stand.targetOf(side), pids })) },
    seconds,
  );
  for (const [what, count] of Object.entries(errors)) round.errors[what] = (round.errors[what] ?? 0) + count;
  const found = costs(slices, sides.length);
  if (found.length === 0) throw new Error('no bout in which every side was answered');
  round.figures.cpu = median(found.map(([cost]) => cost as number));
  round.figures.memory = memoryOfTree(stand.pid) / MIB;
  round.pairs = {
    added: differences(found, 0, 1),
    ...(carried && { carried: differences(found, 2, 1) }),
  };
}

/** A guard that lets everybody in is a cheap one. */
async function mustRefuse(stand: Stand, round: Round): Promise<void> {
  const target = stand.targetOf({ route: 'guarded' });
  const { status } = await stand.load.ask<ProbeReport>({ do: 'probe', target });
  if (status !== 401) round.errors[`status ${status} for a caller who shows nothing`] = 1;
}
