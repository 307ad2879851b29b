/** The queues of a worker, and the authority over places where no other process is. */
import type { Deadlines } from '../socket/deadlines.ts';
import type { UpstreamConfig } from '../upstream/config.ts';
import { QueueAuthority, Queues } from '../upstream/queue/queue.ts';
import type { WorkerParts } from './parts.ts';

/** See the file's head. */
export class LocalQueues {
  readonly queues: Queues;
  readonly #alone: QueueAuthority | undefined;

  constructor({ clock, events, askQueue }: WorkerParts, deadlines: Deadlines) {
    const alone = askQueue === undefined ? new QueueAuthority(clock, (note) => this.queues.told(note)) : undefined;
    this.#alone = alone;
    const ask = askQueue ?? (async (said) => alone?.serve(0, said));
    this.queues = new Queues({ clock, events, deadlines, ask });
  }

  /** Goes over to another configuration. */
  configure(upstreams: Readonly<Record<string, UpstreamConfig>>): void {
    this.#alone?.configure(upstreams, 1);
  }
}
