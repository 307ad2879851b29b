/** Tells operators when a server is taken out and when it is back: once, however many workers say so. */
import type { EndpointEvent, NoticeEvent } from '../kernel/event.ts';

/** Follows what the prober and the workers say of endpoints. */
export class EndpointNotices {
  readonly #notice: (notice: NoticeEvent) => void;
  /** Endpoint → who has it out. */
  readonly #out = new Map<string, Set<string>>();

  constructor(notice: (notice: NoticeEvent) => void) {
    this.#notice = notice;
  }

  /** `who` (the prober, or a worker) says this of an endpoint. */
  changed(who: string, { upstream, endpoint, healthy, reason }: EndpointEvent): void {
    const key = `${upstream}\n${endpoint}`;
    const before = this.#out.get(key);
    if (!healthy) {
      if (before) before.add(who);
      else {
        this.#out.set(key, new Set([who]));
        this.#notice({ level: 'warn', message: `upstream ${upstream}: ${endpoint} is taken out: ${reason}` });
      }
    } else if (before?.delete(who) && before.size === 0) {
      this.#out.delete(key);
      this.#notice({ level: 'info', message: `upstream ${upstream}: ${endpoint} is back: ${reason}` });
    }
  }

  /** A worker has ended: what it held out, it no longer does. */
  gone(who: string): void {
    for (const [key, all] of this.#out) {
      if (!all.delete(who) || all.size > 0) continue;
      const [upstream = '', endpoint = ''] = key.split('\n');
      this.#out.delete(key);
      this.#notice({ level: 'info', message: `upstream ${upstream}: ${endpoint} is back: its worker has ended` });
    }
  }
}
