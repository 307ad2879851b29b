/** What a trial stands on: servers that can be killed and come back, a load generator, and the proxy between them. */
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { EndpointOrder, EndpointReport, LoadOrder, LoadReport, Target } from '../load/channel.ts';
import { Helper } from '../measure/machine.ts';
import type { Ground } from '../measure/stand.ts';
import { isDirect } from '../peers/direct.ts';
import { freePorts, type Peer, type Running, startProcess } from '../peers/peer.ts';
import type { TrialSetup } from '../peers/trial.ts';
import { fieldsOf } from './crowd.ts';
import type { TrialPlan } from './plan.ts';

const REQUEST_BYTES = 900;
const HEAD = 'POST /v1/chat/completions?n=0000000000 HTTP/1.1\r\nHost: gateway.bench\r\n';

/** Waits. */
export const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** One server of a trial. */
export class Server {
  readonly port: number;
  readonly #order: EndpointOrder;
  readonly #prefix: readonly string[];
  #process: Helper<EndpointOrder> | undefined;

  constructor(port: number, plan: TrialPlan, prefix: readonly string[]) {
    const { slots, serviceMs, events, eventMs, crowd } = plan;
    this.port = port;
    this.#prefix = prefix;
    this.#order = {
      do: 'serve',
      port,
      slots,
      serviceMs,
      events,
      eventMs,
      bodyBytes: REQUEST_BYTES,
      notes: crowd !== undefined,
    };
  }

  /** Starts it; resolves when it listens. */
  async start(): Promise<void> {
    this.#process = new Helper<EndpointOrder>('endpoint', this.#prefix);
    await this.#process.ask(this.#order);
  }

  /** Ends it as the kernel ends a process that is out of memory: all its connections break. */
  async kill(): Promise<void> {
    await this.#process?.stop('SIGKILL');
    this.#process = undefined;
  }

  /** What it has seen since it was last asked. */
  async report(): Promise<EndpointReport> {
    return (await this.#process?.ask<EndpointReport>({ do: 'report' })) ?? { served: 0, wasted: 0, turn: 0, begun: [] };
  }
}

/** A proxy in its trial. */
export interface Grounds {
  servers: Server[];
  load: Helper<LoadOrder>;
  target: Target;
  alive(): boolean;
  output(): string;
  /** Writes the configuration of another turn and has the proxy read it. */
  reload(turn: number): void;
  close(): Promise<void>;
}

/** Starts everything and waits until a request is answered rightly. @throws Error that says what came instead. */
export async function openGrounds(peer: Peer, plan: TrialPlan, ground: Omit<Ground, 'callers'>): Promise<Grounds> {
  const folder = `${ground.folder}/${plan.kind}-${peer.name}-${Math.random().toString(36).slice(2, 8)}`;
  mkdirSync(folder, { recursive: true });
  const closing: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const end of closing.reverse()) await end();
    closing.length = 0;
  };
  try {
    const { helpers, proxy } = ground.pinning;
    const servers: Server[] = [];
    for (const port of await quietPorts(plan.servers)) {
      const server = new Server(port, plan, helpers);
      servers.push(server);
      closing.push(() => server.kill());
      await server.start();
    }
    const load = new Helper<LoadOrder>('load', helpers);
    closing.push(() => load.stop());
    const [port = 0, ...spare] = await freePorts(3);
    const setup = (turn: number): TrialSetup => ({
      ...{ kind: plan.kind, folder, port, spare, turn, slots: plan.slots },
      tenants: plan.crowd?.callers.map(({ tenant }) => tenant) ?? [],
      servers: servers.map((server) => server.port),
    });
    let running: Running | undefined;
    if (!isDirect(peer)) {
      if (!peer.trial) throw new Error(`${peer.name} is not set up for trials`);
      running = startProcess(peer.trial.configure(setup(0)), folder, proxy);
    }
    closing.push(() => running?.stop());
    const grounds: Grounds = {
      ...{ servers, load, close },
      target: {
        host: '127.0.0.1',
        port: running ? port : (servers[0]?.port ?? 0),
        heads: [`${HEAD}${plan.crowd?.callers[0] === undefined ? '' : fieldsOf(plan.crowd.callers[0])}`],
        bodyBytes: REQUEST_BYTES,
        expectBytes: 0,
      },
      alive: () => running?.alive() ?? true,
      output: () => running?.output() ?? '',
      reload(turn) {
        if (!running || !peer.trial) return;
        peer.trial.configure(setup(turn));
        process.kill(running.pid, peer.trial.reload);
      },
    };
    await untilAnswered(grounds, peer.name);
    return grounds;
  } catch (error) {
    await close();
    throw error;
  }
}

async function untilAnswered({ load, target, alive, output }: Grounds, name: string): Promise<void> {
  const until = performance.now() + 20_000;
  while (performance.now() < until) {
    if (!alive()) throw new Error(`${name} has ended at once: ${output()}`);
    const { status } = await load.ask<{ status: number }>({ do: 'probe', target });
    if (status === 200) return;
    await sleep(0.05);
  }
  throw new Error(`${name} gave no good answer within 20 s: ${output()}`);
}

const WARM = { connections: 16, requests: 5000, seconds: 5 };

/**
 * Requests one after the other, so that a just-in-time compiler has seen what it needs: arrivals do not wait for a cold
 * start, and pile up.
 */
export async function warmUp({ load, target }: Grounds): Promise<void> {
  const { connections, requests, seconds } = WARM;
  await load.ask({ do: 'closed', target, connections, keepAlive: true, most: requests });
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    const report = await load.ask<LoadReport>({ do: 'count' });
    if (report.requests >= requests) break;
    await sleep(0.05);
  }
  await load.ask({ do: 'finish' });
}

/** Begins the plan's arrivals. */
export function arrive({ load, target }: Grounds, plan: TrialPlan): Promise<LoadReport> {
  const { perSecond, deadlineMs, freshEvery, streamEvery, events, eventMs, crowd } = plan;
  const streamMs = 2 * events * eventMs;
  const common = { target, perSecond, seed: 7, deadlineMs, freshEvery, streamEvery, events, streamMs };
  if (crowd === undefined) return load.ask({ do: 'open', ...common });
  const callers = crowd.callers.map((caller) => ({ fields: fieldsOf(caller), share: caller.share }));
  const { impatientEvery, impatientMs } = crowd;
  return load.ask({ do: 'open', ...common, callers, impatientEvery, impatientMs });
}

/**
 * Free ports below those that the kernel gives to connections: a port of a killed server could else be taken by a
 * connection, even one to that very port, before the server comes back.
 */
async function quietPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count && tries < 1000; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  if (ports.size < count) throw new Error('no free ports from 20000 to 32000');
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
