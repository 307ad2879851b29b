/** Tenants by who is to be served next. */
import type { Flow } from './flow.ts';

/** Binary heap by start tag; each flow knows its place, so that it can be taken out or moved in O(log n). */
export class FlowHeap<T> {
  readonly #flows: Flow<T>[] = [];

  get size(): number {
    return this.#flows.length;
  }

  get first(): Flow<T> | undefined {
    return this.#flows[0];
  }

  /** So many of those that are served first, in that order. */
  least(most: number): Flow<T>[] {
    const found: Flow<T>[] = [];
    // Children of those that were found.
    const front = this.#flows.length > 0 ? [0] : [];
    while (front.length > 0 && found.length < most) {
      let best = 0;
      for (let i = 1; i < front.length; i++)
        if ((this.#flows[front[i] as number] as Flow<T>).start < (this.#flows[front[best] as number] as Flow<T>).start)
          best = i;
      const [at] = front.splice(best, 1) as [number];
      found.push(this.#flows[at] as Flow<T>);
      for (const child of [at * 2 + 1, at * 2 + 2]) if (child < this.#flows.length) front.push(child);
    }
    return found;
  }

  add(flow: Flow<T>): void {
    flow.at = this.#flows.length;
    this.#flows.push(flow);
    this.#up(flow);
  }

  remove(flow: Flow<T>): void {
    const { at } = flow;
    flow.at = -1;
    const last = this.#flows.pop() as Flow<T>;
    if (last === flow) return;
    this.#flows[at] = last;
    last.at = at;
    this.moved(last);
  }

  /** Its start tag has changed. */
  moved(flow: Flow<T>): void {
    this.#up(flow);
    this.#down(flow);
  }

  #up(flow: Flow<T>): void {
    while (flow.at > 0) {
      const parent = this.#flows[(flow.at - 1) >> 1] as Flow<T>;
      if (parent.start <= flow.start) return;
      this.#swap(flow, parent);
    }
  }

  #down(flow: Flow<T>): void {
    for (;;) {
      const left = this.#flows[flow.at * 2 + 1];
      const right = this.#flows[flow.at * 2 + 2];
      const least = right !== undefined && left !== undefined && right.start < left.start ? right : left;
      if (least === undefined || least.start >= flow.start) return;
      this.#swap(least, flow);
    }
  }

  #swap(a: Flow<T>, b: Flow<T>): void {
    const { at } = a;
    a.at = b.at;
    b.at = at;
    this.#flows[a.at] = a;
    this.#flows[b.at] = b;
  }
}
