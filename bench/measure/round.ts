/** One round: the scenario's steps, run once on a stand. */
import type { Answer, LoadReport, UpstreamReport } from '../load/channel.ts';
import { isDirect } from '../peers/direct.ts';
import type { Scenario, Step, Times } from '../scenarios.ts';
import type { Round } from './figures.ts';
import { loadHttp2 } from './http2load.ts';
import { runPairs } from './pairsround.ts';
import { cpuOfTree, memoryOfTree } from './process.ts';
import { connectionsOf, type Stand } from './stand.ts';
import { quantile } from './statistics.ts';

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const MIB = 1024 * 1024;

/** Runs every step; latencies are those of the stand itself, not yet against the direct run. */
export async function runRound(stand: Stand, scenario: Scenario, times: Times): Promise<Round> {
  const round: Round = { figures: {}, errors: {} };
  for (const step of scenario.steps) {
    if (isDirect(stand.peer) && step.kind !== 'paced') continue;
    try {
      await answerWith(stand, answerOf(scenario, step));
      await run(stand, scenario, step, times, round);
    } catch (error) {
      blame(round, error instanceof Error ? error.message : String(error));
    }
    if (!stand.alive()) {
      blame(round, `${stand.peer.name} has ended: ${stand.output().slice(-200)}`);
      break;
    }
  }
  return round;
}

function answerOf(scenario: Scenario, step: Step): Answer {
  if (step.kind === 'flow' || step.kind === 'open') return { kind: 'endless', eventsPerSecond: step.eventsPerSecond };
  return (step.kind === 'paced' && step.answer) || { kind: 'body', bytes: scenario.answerBytes };
}

const answerWith = (stand: Stand, answer: Answer) => stand.upstream.ask<UpstreamReport>({ do: 'answer', answer });

function blame(round: Round, what: string, count = 1): void {
  round.errors[what] = (round.errors[what] ?? 0) + count;
}

function run(stand: Stand, scenario: Scenario, step: Step, times: Times, round: Round): Promise<void> {
  switch (step.kind) {
    case 'closed':
      return runClosed(stand, scenario, step, times, round);
    case 'pairs':
      return runPairs(stand, step, times, round);
    case 'http2':
      return runHttp2(stand, scenario, step, times, round);
    case 'paced':
      return runPaced(stand, scenario, step, times, round);
    case 'flow':
      return runFlow(stand, step, times, round);
    case 'open':
      return runOpen(stand, scenario, step, times, round);
  }
}

/** CPU time and wall time between two moments, and whatever the load generator counted between them. */
async function measured(stand: Stand, seconds: number) {
  const before = await stand.load.ask<LoadReport>({ do: 'count' });
  const cpuBefore = cpuOfTree(stand.pid);
  const wallBefore = performance.now();
  await sleep(seconds);
  const after = await stand.load.ask<LoadReport>({ do: 'count' });
  const cpu = cpuOfTree(stand.pid) - cpuBefore;
  const wall = (performance.now() - wallBefore) * 1000;
  return { cpu, wall, requests: after.requests - before.requests, events: after.events - before.events };
}

async function finish(stand: Stand, scenario: Scenario | undefined, round: Round, expectEvents?: number) {
  const report = await stand.load.ask<LoadReport>({
    do: 'finish',
    ...(expectEvents !== undefined && { expectEvents }),
  });
  for (const [what, count] of Object.entries(report.errors)) blame(round, what, count);
  if (!scenario || stand.peer.rewrites) return report;
  // What the upstream was sent is checked as well: a proxy that loses part of a request body is not a fast one.
  const { lengths } = await stand.upstream.ask<UpstreamReport>({ do: 'report' });
  for (const [length, count] of Object.entries(lengths)) {
    if (length !== `${scenario.requestBytes}`) blame(round, `request body of ${length} bytes at the upstream`, count);
  }
  return report;
}

/** Requests after which a just-in-time compiler has seen what it needs. */
const WARM_REQUESTS = 20_000;

/** Waits for the time and the requests of a warm-up, at most four times as long: on a busy machine time alone is short. */
async function warm(stand: Stand, seconds: number): Promise<void> {
  const started = performance.now();
  await sleep(seconds);
  while (performance.now() - started < seconds * 4000) {
    const { requests } = await stand.load.ask<LoadReport>({ do: 'count' });
    if (requests >= WARM_REQUESTS) return;
    await sleep(0.1);
  }
}

async function runClosed(
  stand: Stand,
  scenario: Scenario,
  step: Extract<Step, { kind: 'closed' }>,
  times: Times,
  round: Round,
): Promise<void> {
  const { connections, keepAlive, most } = step;
  await stand.load.ask({ do: 'closed', target: stand.target, connections, keepAlive, most });
  await warm(stand, times.warmUp);
  const { cpu, wall, requests } = await measured(stand, times.measure);
  round.figures.memory = memoryOfTree(stand.pid) / MIB;
  await finish(stand, scenario, round);
  const units = requests * scenario.unitsPerRequest;
  if (units === 0) return blame(round, 'no request was answered');
  round.figures.cpu = cpu / units;
  round.figures.rate = (units / wall) * 1e6;
  round.figures.busy = (cpu / wall) * 100;
}

/** The answers are counted at the upstream, for h2load tells its counts at its end only. */
async function runHttp2(
  stand: Stand,
  scenario: Scenario,
  step: Extract<Step, { kind: 'http2' }>,
  times: Times,
  round: Round,
): Promise<void> {
  const ended = loadHttp2(stand, step, { seconds: 3 * times.warmUp + times.measure }, scenario.requestBytes);
  await sleep(2 * times.warmUp);
  await stand.upstream.ask<UpstreamReport>({ do: 'report' });
  const cpuBefore = cpuOfTree(stand.pid);
  const wallBefore = performance.now();
  await sleep(times.measure);
  const { requests } = await stand.upstream.ask<UpstreamReport>({ do: 'report' });
  const cpu = cpuOfTree(stand.pid) - cpuBefore;
  const wall = (performance.now() - wallBefore) * 1000;
  round.figures.memory = memoryOfTree(stand.pid) / MIB;
  for (const [what, count] of Object.entries(await ended)) blame(round, what, count);
  if (requests === 0) return blame(round, 'no request was answered');
  round.figures.cpu = cpu / requests;
  round.figures.rate = (requests / wall) * 1e6;
  round.figures.busy = (cpu / wall) * 100;
}

async function runPaced(
  stand: Stand,
  scenario: Scenario,
  step: Extract<Step, { kind: 'paced' }>,
  times: Times,
  round: Round,
): Promise<void> {
  const { connections, perSecond, events } = step;
  const target = events > 0 ? { ...stand.target, expectBytes: 0 } : stand.target;
  await stand.load.ask({ do: 'paced', target, connections, perSecond, events });
  await sleep(times.warmUp / 2);
  await stand.load.ask({ do: 'mark' });
  await sleep(times.measure);
  const { latencies } = await finish(stand, events > 0 ? undefined : scenario, round);
  if (latencies.length === 0) return blame(round, 'no request was answered');
  round.figures.p50 = quantile(latencies, 0.5);
  round.figures.p99 = quantile(latencies, 0.99);
}

async function opened(stand: Stand, streams: number): Promise<void> {
  await stand.load.ask({ do: 'streams', target: stand.target, streams });
  const until = performance.now() + 30_000;
  for (;;) {
    const { openStreams, errors } = await stand.load.ask<LoadReport>({ do: 'count' });
    if (openStreams >= streams || Object.keys(errors).length > 0) return;
    if (performance.now() > until) throw new Error(`only ${openStreams} of ${streams} streams have opened within 30 s`);
    await sleep(0.1);
  }
}

/** Ends a run of endless streams; every event that was sent must have arrived. */
async function finishStreams(stand: Stand, round: Round): Promise<void> {
  const { eventsSent } = await stand.upstream.ask<UpstreamReport>({ do: 'stop' });
  const { events } = await finish(stand, undefined, round, eventsSent);
  if (events !== eventsSent) blame(round, 'events sent and not received', eventsSent - events);
  await sleep(0.3);
}

async function runFlow(stand: Stand, step: Extract<Step, { kind: 'flow' }>, times: Times, round: Round): Promise<void> {
  await opened(stand, step.streams);
  await sleep(times.warmUp);
  const { cpu, wall, events } = await measured(stand, times.measure);
  round.figures.memory = memoryOfTree(stand.pid) / MIB;
  await finishStreams(stand, round);
  if (events === 0) return blame(round, 'no event was relayed');
  round.figures.cpu = cpu / events;
  round.figures.rate = (events / wall) * 1e6;
  round.figures.busy = (cpu / wall) * 100;
}

async function runOpen(
  stand: Stand,
  scenario: Scenario,
  step: Extract<Step, { kind: 'open' }>,
  times: Times,
  round: Round,
): Promise<void> {
  const streams = Math.min(step.streams, connectionsOf(scenario));
  // Some traffic first, so that what a proxy takes once is not counted as the streams'.
  await answerWith(stand, { kind: 'body', bytes: scenario.answerBytes });
  await stand.load.ask({ do: 'closed', target: stand.target, connections: 32, keepAlive: true, most: 20_000 });
  await sleep(times.warmUp);
  await finish(stand, scenario, round);
  await answerWith(stand, answerOf(scenario, step));
  await sleep(0.5);
  const before = memoryOfTree(stand.pid);
  await opened(stand, streams);
  await sleep(times.settle);
  const after = memoryOfTree(stand.pid);
  await finishStreams(stand, round);
  round.figures.perStream = (after - before) / streams / 1024;
  round.figures.memory = after / MIB;
}
