/** What the workers say about the levels of upstreams, put together for /api/status. */
import type { LevelStatus } from '../admin/handle.ts';
import type { UpstreamLevels } from '../supervisor/messages.ts';

/** The latest word of each worker on each upstream. */
export class LevelBoard {
  readonly #said = new Map<string, Map<number, UpstreamLevels['levels']>>();

  /** A worker shares an upstream's requests like this from now on; no levels: there is only one. */
  update(worker: number, { upstream, levels }: UpstreamLevels): void {
    let byWorker = this.#said.get(upstream);
    if (byWorker === undefined) {
      byWorker = new Map();
      this.#said.set(upstream, byWorker);
    }
    // Maps keep the place of a key; the newest word shall be the last.
    byWorker.delete(worker);
    if (levels.length > 0) byWorker.set(worker, levels);
  }

  /** A worker has gone. */
  retire(worker: number): void {
    for (const byWorker of this.#said.values()) byWorker.delete(worker);
  }

  /**
   * Levels of an upstream, nearest first, with the mean of what the workers say; undefined where there is only one. After
   * a reload that changed its endpoints only those who speak of the newest ones count.
   */
  of(upstream: string): LevelStatus[] | undefined {
    const all = [...(this.#said.get(upstream)?.values() ?? [])];
    const newest = all.at(-1);
    if (newest === undefined) return undefined;
    const shape = shapeOf(newest);
    const same = all.filter((levels) => shapeOf(levels) === shape);
    return newest.map(({ endpoints }, level) => ({
      level,
      endpoints: [...endpoints],
      healthyShare: mean(same.map((levels) => levels[level]?.healthyShare ?? 0)),
      load: mean(same.map((levels) => levels[level]?.load ?? 0)),
    }));
  }
}

const shapeOf = (levels: UpstreamLevels['levels']) => JSON.stringify(levels.map(({ endpoints }) => endpoints));
const mean = (values: readonly number[]) =>
  Math.round((values.reduce((sum, value) => sum + value, 0) / values.length) * 1000) / 1000;
