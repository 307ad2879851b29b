/** One round of a trial: what is done to a proxy under open-loop load, and how its clients' requests ended. */
import type { LoadReport } from '../load/channel.ts';
import type { Round } from '../measure/figures.ts';
import type { Ground } from '../measure/stand.ts';
import { median, quantile } from '../measure/statistics.ts';
import type { Peer } from '../peers/peer.ts';
import type { Times } from '../scenarios.ts';
import { arrive, type Grounds, openGrounds, sleep, warmUp } from './grounds.ts';
import { blame, count } from './notes.ts';
import { capacity, type TrialPlan } from './plan.ts';
import { queue } from './queue.ts';

/** How long a reload may take until a request goes the new way (seconds). */
const PATIENCE = 10;
/** A reload without effect for this long is asked for again: HAProxy's master, while it starts anew, may miss a signal. */
const ASK_AGAIN = 3;

/** Runs one round on a newly started proxy. */
export async function runTrial(
  peer: Peer,
  plan: TrialPlan,
  ground: Omit<Ground, 'callers'>,
  times: Times,
): Promise<Round> {
  const round: Round = { figures: {}, errors: {} };
  const grounds = await openGrounds(peer, plan, ground);
  try {
    await warmUp(grounds);
    await arrive(grounds, plan);
    await sleep(times.warmUp);
    if (plan.kind === 'reload') await reloads(grounds, times.reloads, round);
    else if (plan.kind === 'failover') await kills(grounds, times.kills, round);
    else if (plan.kind === 'queue') await queue(grounds, plan, times.overload, round);
    else await overload(grounds, plan, times.overload, round);
    if (!grounds.alive()) blame(round, `${peer.name} has ended: ${grounds.output().slice(-200)}`);
  } finally {
    await grounds.close();
  }
  return round;
}

async function reloads(grounds: Grounds, count: number, round: Round): Promise<void> {
  const effects: number[] = [];
  for (let turn = 1; turn <= count; turn++) effects.push(await reload(grounds, turn, round));
  await finish(grounds, round);
  round.figures.effect = median(effects);
  lost(round, count / 100);
}

/** One reload, and a moment after it has taken effect. @returns how long that took, in milliseconds. */
async function reload(grounds: Grounds, turn: number, round: Round): Promise<number> {
  const { servers } = grounds;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  grounds.reload(turn);
  let asked = 1;
  while (((await servers[turn % servers.length]?.report())?.turn ?? turn) < turn) {
    if (seconds() > PATIENCE) {
      blame(round, `reload without effect within ${PATIENCE} s`);
      break;
    }
    if (seconds() > asked * ASK_AGAIN) {
      grounds.reload(turn);
      asked++;
    }
    await sleep(0.01);
  }
  const took = seconds() * 1000;
  await sleep(0.1);
  return took;
}

async function kills(grounds: Grounds, count: number, round: Round): Promise<void> {
  for (let kill = 0; kill < count; kill++) {
    const server = grounds.servers[kill % grounds.servers.length];
    await server?.kill();
    await sleep(1.2);
    await server?.start();
    await sleep(1.2);
  }
  const { latencies } = await finish(grounds, round);
  round.figures.answer99 = quantile(latencies, 0.99) / 1000;
  lost(round, count);
}

async function overload(grounds: Grounds, plan: TrialPlan, seconds: number, round: Round): Promise<void> {
  await sleep(plan.deadlineMs / 1000);
  const ask = () => Promise.all(grounds.servers.map((server) => server.report()));
  await ask();
  await grounds.load.ask({ do: 'mark' });
  const started = performance.now();
  await sleep(seconds);
  const { outcomes, latencies } = await grounds.load.ask<LoadReport>({ do: 'count' });
  const elapsed = (performance.now() - started) / 1000;
  const work = await ask();
  const sum = (key: 'served' | 'wasted') => work.reduce((all, report) => all + report[key], 0);
  count(round, outcomes);
  round.figures.goodput = ((outcomes.right / elapsed) * 100) / capacity(plan);
  round.figures.wasted = (sum('wasted') * 100) / Math.max(1, sum('wasted') + sum('served'));
  round.figures.answer50 = quantile(latencies, 0.5) / 1000;
  round.figures.answer99 = quantile(latencies, 0.99) / 1000;
  const { errors } = await grounds.load.ask<LoadReport>({ do: 'finish' });
  for (const [what, times] of Object.entries(errors)) blame(round, what, times);
}

/** Ends the arrivals, waits for what is under way, and counts. */
async function finish(grounds: Grounds, round: Round): Promise<LoadReport> {
  const report = await grounds.load.ask<LoadReport>({ do: 'finish' });
  for (const [what, times] of Object.entries(report.errors)) blame(round, what, times);
  count(round, report.outcomes);
  return report;
}

/** Requests that did not get their right answer, per unit of what was done to the proxy. */
function lost(round: Round, units: number): void {
  const { sent = 0, right = 0 } = round.figures;
  round.figures.share = (right * 100) / Math.max(1, sent);
  round.figures.lost = (sent - right) / units;
}
