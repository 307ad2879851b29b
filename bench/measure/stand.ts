/** One started peer with its load generator and upstream: the thing that rounds are run on. */
import { mkdirSync } from 'node:fs';
import { answerBody } from '../load/body.ts';
import type { LoadOrder, ProbeReport, Target, UpstreamOrder, UpstreamReport } from '../load/channel.ts';
import { isDirect } from '../peers/direct.ts';
import { freePorts, type Peer, type Running, type Setup, startProcess, versionOf } from '../peers/peer.ts';
import { HOSTS } from '../peers/routes.ts';
import type { Scenario, Side } from '../scenarios.ts';
import type { CallerSet } from './callers.ts';
import { requestHeads } from './heads.ts';
import { descriptorLimit } from './limits.ts';
import { type Certificate, Helper, isolatedNetwork, type Network, type Pinning } from './machine.ts';

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** What every stand of a run shares. */
export interface Ground {
  folder: string;
  pinning: Pinning;
  certificate: Certificate | undefined;
  /** Keys and tokens of this run. */
  callers: CallerSet;
}

/** A peer that is up and has answered one request rightly. */
export interface Stand {
  peer: Peer;
  /** Process whose tree is measured; 0 for the direct run. */
  pid: number;
  target: Target;
  /** Where a side of its pairs asks. */
  targetOf(side: Side): Target;
  /** Port of HTTP/2, where the scenario has it. */
  http2Port: number;
  pinning: Pinning;
  /** A folder of its own. */
  folder: string;
  load: Helper<LoadOrder>;
  upstream: Helper<UpstreamOrder>;
  alive(): boolean;
  /** The proxy's last output. */
  output(): string;
  close(): Promise<void>;
}

/** What the scenario asks of a peer that is checked before it is started. @returns why it takes no part, or undefined. */
export function reasonToSkip(peer: Peer, scenario: Scenario, certificate: Certificate | undefined): string | undefined {
  if (peer.version() === undefined) return `not here: ${peer.missing}`;
  if (scenario.tls && !certificate) return 'no certificate could be made: apt-get install openssl';
  if (scenario.trial) {
    if (isDirect(peer))
      return scenario.trial.kind === 'overload' || scenario.trial.kind === 'queue'
        ? undefined
        : 'there is nothing to do it to';
    return peer.trial ? undefined : 'set up to be measured for its cost only';
  }
  if (isDirect(peer) && !scenario.steps.some(({ kind }) => kind === 'paced')) return 'nothing to compare with';
  const tls = scenario.tls ? certificate : undefined;
  if (scenario.steps.some(({ kind }) => kind === 'http2')) {
    if (!peer.http2) return 'no HTTP/2 without TLS set up here';
    if (versionOf('h2load', ['--version'], /(\d+\.\S+)/) === undefined)
      return 'its load comes from h2load, which is not here: apt-get install nghttp2-client';
  }
  if (scenario.caller !== undefined && !peer.admits?.includes(scenario.caller)) return 'cannot tell these callers here';
  return peer.cannot?.({ everything: scenario.everything, routes: scenario.routes, ...(tls && { tls }) });
}

/** Most streams or connections of the scenario, as far as the descriptor limit allows two for each. */
export function connectionsOf(scenario: Scenario): number {
  const wanted = scenario.steps.map((step) => {
    if (step.kind === 'pairs') return 3 * step.connections;
    return 'streams' in step ? step.streams : step.connections;
  });
  return Math.min(Math.max(...wanted), Math.floor((descriptorLimit() - 500) / 2));
}

/**
 * Starts helpers and proxy and waits until a request is answered rightly.
 * @throws Error that says what the peer did instead.
 */
export async function openStand(peer: Peer, scenario: Scenario, ground: Ground): Promise<Stand> {
  const folder = `${ground.folder}/${scenario.name}-${peer.name}-${Math.random().toString(36).slice(2, 8)}`;
  mkdirSync(folder, { recursive: true });
  const network = peer.isolate ? isolatedNetwork() : undefined;
  if (typeof network === 'string') throw new Error(network);
  const closing: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const end of closing.reverse()) await end();
    closing.length = 0;
  };
  if (network) closing.push(() => network.remove());
  try {
    const prefix = [...(network?.prefix ?? []), ...ground.pinning.helpers];
    const upstream = new Helper<UpstreamOrder>('upstream', prefix);
    closing.push(() => upstream.stop());
    const load = new Helper<LoadOrder>('load', prefix);
    closing.push(() => load.stop());
    const upstreamPort = await upstream.ask<number>({ do: 'listen' });
    await upstream.ask({ do: 'answer', answer: { kind: 'body', bytes: scenario.answerBytes } });
    const [port = 0, ...spare] = await freePorts(3);
    const tls = scenario.tls ? ground.certificate : undefined;
    const setup: Setup = {
      ...{ folder, port, spare, upstreamPort, everything: scenario.everything, routes: scenario.routes },
      connections: connectionsOf(scenario),
      streaming: scenario.steps.some((step) => step.kind === 'flow' || step.kind === 'open' || 'answer' in step),
      http2: scenario.steps.some(({ kind }) => kind === 'http2'),
      ...(tls && { tls }),
      ...(scenario.caller && { callers: { ...ground.callers, by: scenario.caller } }),
      ...(scenario.limits && { limits: scenario.limits }),
      ...(scenario.ledger && { ledger: scenario.ledger }),
    };
    const running = isDirect(peer) ? undefined : start(peer, setup, ground, network);
    if (running) closing.push(() => running.stop());
    const make = ({ route, shows }: Side): Target => ({
      host: '127.0.0.1',
      port: !running ? upstreamPort : route === 'open' ? (peer.openPort?.(setup) ?? port) : port,
      ...(tls && running && { ca: tls.pem }),
      heads: requestHeads(scenario, peer.fields?.(setup) ?? '', shows && ground.callers.fields(shows), HOSTS[route]),
      ...(shows === 'dpop' && { proof: ground.callers.proof }),
      bodyBytes: scenario.requestBytes,
      expectBytes: 0,
    });
    const target = make({ route: 'guarded', ...(scenario.caller && { shows: scenario.caller }) });
    const stand: Stand = {
      ...{ peer, pid: running?.pid ?? 0, target, load, upstream, close },
      targetOf: (side) => ({ ...make(side), expectBytes: target.expectBytes }),
      http2Port: peer.http2?.(setup) ?? 0,
      pinning: ground.pinning,
      folder,
      alive: () => running?.alive() ?? true,
      output: () => running?.output() ?? '',
    };
    target.expectBytes = await probeUntilReady(stand, scenario);
    return stand;
  } catch (error) {
    await close();
    throw error;
  }
}

function start(peer: Peer, setup: Setup, ground: Ground, network: Network | undefined): Running {
  return startProcess(peer.configure(setup), setup.folder, [...(network?.prefix ?? []), ...ground.pinning.proxy]);
}

/** Asks until there is an answer of 200, then compares it with the upstream's. @returns the length of its body. */
async function probeUntilReady(stand: Stand, scenario: Scenario): Promise<number> {
  const until = performance.now() + 20_000;
  let last: ProbeReport = { status: 0, head: '', body: '' };
  while (performance.now() < until) {
    if (!stand.alive()) throw new Error(`${stand.peer.name} has ended at once: ${stand.output()}`);
    last = await stand.load.ask<ProbeReport>({ do: 'probe', target: stand.target });
    if (last.status === 200) {
      await compare(stand, scenario, last.body);
      return last.body.length;
    }
    await sleep(0.05);
  }
  const found = `status ${last.status}, ${last.head.split('\r\n')[0]} ${last.body.slice(0, 200)}`;
  throw new Error(`${stand.peer.name} gave no good answer within 20 s: ${found} ${stand.output()}`);
}

async function compare(stand: Stand, scenario: Scenario, body: string): Promise<void> {
  const expected = answerBody(scenario.answerBytes);
  const choices = (text: string) => JSON.stringify((JSON.parse(text) as { choices?: unknown }).choices);
  const same = stand.peer.rewrites ? choices(body) === choices(expected) : body === expected;
  if (!same) throw new Error(`${stand.peer.name} has changed the answer: ${body.slice(0, 200)}`);
  const { lengths } = await stand.upstream.ask<UpstreamReport>({ do: 'report' });
  if (!stand.peer.rewrites && Object.keys(lengths).join() !== `${scenario.requestBytes}`) {
    throw new Error(`${stand.peer.name} has changed the request body: lengths ${JSON.stringify(lengths)}`);
  }
}
