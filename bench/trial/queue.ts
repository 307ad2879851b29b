/** The trial of a queue: who is served while three times as much is asked as the server can give, in which order, how fairly. */
import type { EndpointReport, LoadReport } from '../load/channel.ts';
import { noOutcomes } from '../load/outcome.ts';
import type { Round } from '../measure/figures.ts';
import { quantile } from '../measure/statistics.ts';
import { CLASSES, type Crowd, rankOf } from './crowd.ts';
import { type Grounds, sleep } from './grounds.ts';
import { blame, count } from './notes.ts';
import { byTenant, fairness, overtaken } from './order.ts';
import { capacity, type TrialPlan } from './plan.ts';

/** A request that is on its way between load generator, proxy and server for so long is not waiting yet, or any more. */
const SLACK_MS = 50;
const RIGHT = ['rightRealtime', 'rightBatch', 'rightTest'] as const;
const FAIR = ['fairRealtime', 'fairBatch', 'fairTest'] as const;

/** Measures for so many seconds, when the queue is as full as it gets. */
export async function queue(grounds: Grounds, plan: TrialPlan, seconds: number, round: Round): Promise<void> {
  const crowd = plan.crowd as Crowd;
  await sleep(plan.deadlineMs / 1000);
  const now = () => performance.timeOrigin + performance.now();
  await grounds.load.ask({ do: 'mark' });
  await report(grounds);
  const from = now();
  await sleep(seconds);
  const until = now();
  const work = await report(grounds);
  const { calls, errors } = await grounds.load.ask<LoadReport>({ do: 'finish' });
  const begun = new Map([...work, ...(await report(grounds))].flatMap((one) => one.begun));
  const sum = (key: 'served' | 'wasted') => work.reduce((all, one) => all + one[key], 0);
  const ended = calls.filter(({ endedAt }) => endedAt >= from && endedAt <= until);
  const outcomes = noOutcomes();
  for (const { outcome } of ended) outcomes[outcome]++;
  count(round, outcomes);
  round.figures.goodput = ((outcomes.right / (until - from)) * 100_000) / capacity(plan);
  round.figures.wasted = (sum('wasted') * 100) / Math.max(1, sum('wasted') + sum('served'));
  round.figures.order = overtaken(calls, begun, crowd, { from, until, slackMs: SLACK_MS });
  for (const rank of CLASSES.keys()) {
    const { served, asked } = byTenant(calls, crowd, rank, from, until - plan.deadlineMs);
    const [right, all] = [served, asked].map((counts) => counts.reduce((a, b) => a + b, 0)) as [number, number];
    round.figures[RIGHT[rank] as (typeof RIGHT)[number]] = (right * 100) / Math.max(1, all);
    // Of a few requests nobody can say whether they were served alike.
    if (right >= 50) round.figures[FAIR[rank] as (typeof FAIR)[number]] = fairness(served, asked);
  }
  const right = ended.filter(({ outcome }) => outcome === 'right');
  const times = (some: typeof right) => some.map(({ dueAt, endedAt }) => endedAt - dueAt);
  const live = right.filter(({ caller }) => {
    const one = crowd.callers[caller];
    return one !== undefined && rankOf(one) === 0;
  });
  round.figures.live99 = quantile(times(live), 0.99);
  round.figures.answer50 = quantile(times(right), 0.5);
  round.figures.answer99 = quantile(times(right), 0.99);
  for (const [what, often] of Object.entries(errors)) blame(round, what, often);
}

function report(grounds: Grounds): Promise<EndpointReport[]> {
  return Promise.all(grounds.servers.map((server) => server.report()));
}
