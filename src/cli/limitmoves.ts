/** Tells when a limit that is found by measuring (`adaptive`) has become another: at least twice or half what was told last. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { QueueStanding } from '../upstream/queue/queue.ts';

/** How often is looked, in milliseconds: a swing that is over sooner is no news. */
const LOOK_MS = 10_000;
const MUCH = 2;

/** See the file's head. */
export class LimitMoves {
  readonly #standings: () => readonly QueueStanding[];
  readonly #notice: (notice: NoticeEvent) => void;
  readonly #timer: Timer;
  /** Upstream and endpoint → the limit that was told last. */
  #told = new Map<string, number>();

  constructor(clock: Clock, standings: () => readonly QueueStanding[], notice: (notice: NoticeEvent) => void) {
    this.#standings = standings;
    this.#notice = notice;
    this.#timer = clock.every(LOOK_MS, () => this.#look());
  }

  /** Looks no more. */
  close(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const before = this.#told;
    this.#told = new Map();
    for (const { upstream, endpoints } of this.#standings())
      for (const { name, adaptive } of endpoints) {
        if (adaptive === undefined) continue;
        const key = JSON.stringify([upstream, name]);
        const { found, gradient, rttMs, minRttMs } = adaptive;
        const told = before.get(key) ?? found;
        const moved = found >= told * MUCH || found * MUCH <= told;
        this.#told.set(key, moved ? found : told);
        if (!moved) continue;
        const times = `first token after ${Math.round(rttMs)} ms, at rest ${Math.round(minRttMs)} ms`;
        const message = `upstream ${upstream}: ${name} gets ${found} requests at once, before ${told} (${times})`;
        this.#notice({
          level: 'info',
          message,
          attributes: { upstream, endpoint: name, limit: found, before: told, gradient },
        });
      }
  }
}
