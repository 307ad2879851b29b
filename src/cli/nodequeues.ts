/** The queues of this node: one authority over the places at servers for all its workers, kept in step with the configuration. */
import type { Config } from '../config/config.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Services } from '../supervisor/supervisor.ts';
import { type Letter, QueueAuthority, WorkerLines } from '../upstream/queue/queue.ts';
import { LimitMoves } from './limitmoves.ts';
import { workersOf } from './machine.ts';

/** Name of the service that grants places, and of the changes that tell where somebody waits. */
export const QUEUE_SERVICE = 'queue';

/** How often it is looked how many nodes there are, in milliseconds. */
const LOOK_MS = 1000;

/** See the file's head. */
export class NodeQueues {
  readonly authority: QueueAuthority;
  readonly #lines: WorkerLines;
  readonly #moves: LimitMoves;
  readonly #nodes: () => number;
  readonly #notice: (notice: NoticeEvent) => void;
  readonly #looking: Timer;
  #config: Config;
  #next: Config | undefined;

  /** `nodes`: how many share what is shared; 0: nobody knows. */
  constructor(
    clock: Clock,
    config: Config,
    services: Services,
    notice: (notice: NoticeEvent) => void,
    nodes: () => number,
  ) {
    this.#nodes = nodes;
    this.#notice = notice;
    this.authority = new QueueAuthority(clock, (note) => services.push(QUEUE_SERVICE, note));
    this.#lines = new WorkerLines(this.authority);
    this.#moves = new LimitMoves(clock, () => this.authority.standings(), notice);
    this.#config = config;
    this.#configure(config);
    this.#looking = clock.every(LOOK_MS, () => this.authority.divide(this.#count()));
    services.hear(QUEUE_SERVICE, (letter, worker, say) => this.#heard(worker, letter as Letter, say));
  }

  /** A configuration is about to be tried: workers may ask about its upstreams from now on, and still about the old ones. */
  prepare(config: Config): void {
    this.#next = config;
    this.#configure(config, { ...this.#config.upstreams, ...config.upstreams });
  }

  /** It is in force, or was refused. */
  settle(accepted: boolean): void {
    if (accepted && this.#next !== undefined) this.#config = this.#next;
    this.#next = undefined;
    this.#configure(this.#config);
  }

  /** A worker has gone for good. */
  gone(worker: number): void {
    this.#lines.gone(worker);
    this.authority.gone(worker);
  }

  /** The workers have ended. */
  close(): void {
    this.#moves.close();
    this.#looking.cancel();
  }

  #heard(worker: number, letter: Letter, say: (letter: Letter) => void): void {
    try {
      this.#lines.heard(worker, letter, say);
    } catch (error) {
      this.#notice({ level: 'error', message: `worker ${worker}: ${(error as Error).message}` });
    }
  }

  #count(): number {
    const { redis } = this.#next ?? this.#config;
    return redis === undefined ? 1 : Math.max(1, this.#nodes(), redis.nodes);
  }

  #configure(config: Config, upstreams = config.upstreams): void {
    this.authority.divide(this.#count());
    this.authority.configure(upstreams, workersOf(config));
  }
}
