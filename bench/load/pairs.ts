/**
 * A run of pairs: two or more sides (routes of one proxy, or proxies) get the load in turns of less than a second, in the
 * order A B B A, so that whatever slows the machine, or luck with compiled code, falls on all of them alike. Each turn
 * begins and ends with nothing under way, so its requests and the CPU time of its processes belong together exactly.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { LoadOrder, PairsReport, Slice, Target } from './channel.ts';
import { Connection, type Watcher } from './client.ts';
import { Requests } from './requests.ts';

/** The order for such a run. */
export type PairsOrder = Extract<LoadOrder, { do: 'pairs' }>;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** What a proxy still does when its last answer has gone. */
export const AFTERMATH_MS = 4;
/** Requests that have no answer after so long are given up. */
const PATIENCE_MS = 5000;

/** Closed loop on one target that can be halted and go on. */
class Side implements Watcher {
  readonly errors: Record<string, number>;
  answers = 0;
  #running = false;
  #underWay = 0;
  #idle: Connection[] = [];
  readonly #open = new Set<Connection>();
  readonly #target: Target;
  readonly #requests: Requests;

  constructor(target: Target, errors: Record<string, number>) {
    this.#target = target;
    this.#requests = new Requests(target, false);
    this.errors = errors;
  }

  /** Resolves when so many connections stand. */
  async connect(count: number): Promise<void> {
    for (let at = 0; at < count; at++) this.#add();
    const until = performance.now() + PATIENCE_MS;
    while (this.#idle.length < count && performance.now() < until) await sleep(1);
  }

  /** Sends for so many milliseconds, then awaits what is under way. */
  async run(ms: number): Promise<void> {
    this.#running = true;
    const idle = this.#idle;
    this.#idle = [];
    for (const connection of idle) this.#send(connection);
    await sleep(ms);
    this.#running = false;
    const until = performance.now() + PATIENCE_MS;
    while (this.#underWay > 0) {
      if (performance.now() > until) throw new Error(`${this.#underWay} requests have got no answer`);
      await sleep(0);
    }
  }

  close(): void {
    for (const connection of this.#open) connection.close();
  }

  answered(connection: Connection): void {
    this.answers++;
    this.#underWay--;
    if (connection.lastAnswer) {
      connection.close();
      this.#open.delete(connection);
      this.#add();
    } else this.#ready(connection);
  }

  progressed(): void {}

  failed(connection: Connection, what: string): void {
    this.errors[what] = (this.errors[what] ?? 0) + 1;
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    else this.#underWay--;
    setTimeout(() => this.#add(), 10);
  }

  #add(): void {
    this.#open.add(new Connection(this.#target, this, false, (connection) => this.#ready(connection)));
  }

  #ready(connection: Connection): void {
    if (this.#running) this.#send(connection);
    else this.#idle.push(connection);
  }

  #send(connection: Connection): void {
    this.#underWay++;
    connection.send(this.#requests.next());
  }
}

/** CPU time of these processes, in µs, by the scheduler's own account (proc_pid_schedstat(5)): exact while they are idle. */
export function cpuOf(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      try {
        nanoseconds += Number.parseInt(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1'), 10);
      } catch {
        // A thread that has just ended.
      }
    }
  }
  return nanoseconds / 1000;
}

/** The sides in the order of one bout: there and back, and every second time the other way round. */
export function turnsOf(sides: number, bout: number): number[] {
  const there = Array.from({ length: sides }, (_, at) => at);
  if (bout % 2 === 1) there.reverse();
  return [...there, ...[...there].reverse()];
}

/** Runs it. A bout with an error in it is told as it is: the errors say that it counts for nothing. */
export async function runPairs({ sides, connections, sliceMs, bouts, warmUp }: PairsOrder): Promise<PairsReport> {
  const errors: Record<string, number> = {};
  const slices: Slice[] = [];
  const all = sides.map(({ target }) => new Side(target, errors));
  const slice = async (at: number): Promise<Slice> => {
    const side = all[at] as Side;
    const pids = sides[at]?.pids ?? [];
    const { answers } = side;
    const cpu = cpuOf(pids);
    const began = performance.now();
    await side.run(sliceMs);
    const wall = (performance.now() - began) * 1000;
    await sleep(AFTERMATH_MS);
    return { side: at, requests: side.answers - answers, cpu: cpuOf(pids) - cpu, wall };
  };
  try {
    for (const side of all) await side.connect(connections);
    const enough = () => all.every(({ answers }) => answers >= warmUp.requests);
    const until = performance.now() + warmUp.most * 1000;
    while (!enough() && performance.now() < until) for (const at of turnsOf(sides.length, 0)) await slice(at);
    for (let bout = 0; bout < bouts; bout++) for (const at of turnsOf(sides.length, bout)) slices.push(await slice(at));
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    errors[what] = (errors[what] ?? 0) + 1;
  } finally {
    for (const side of all) side.close();
  }
  return { slices, errors };
}
