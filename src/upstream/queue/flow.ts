/** The waiting requests of one tenant, and a heap of tenants by who is to be served next. */
import type { Waiter } from './fairqueue.ts';

/** One tenant within a class. */
export class Flow<T> {
  readonly tenant: string;
  weight = 1;
  /** Start tag of its head, in tokens per weight. */
  start = 0;
  size = 0;
  head: Waiter<T> | undefined = undefined;
  tail: Waiter<T> | undefined = undefined;
  /** Place in the heap; -1 when it is not there. */
  at = -1;

  constructor(tenant: string) {
    this.tenant = tenant;
  }

  push(waiter: Waiter<T>): void {
    waiter.before = this.tail;
    if (this.tail === undefined) this.head = waiter;
    else this.tail.after = waiter;
    this.tail = waiter;
    this.size++;
  }

  remove(waiter: Waiter<T>): void {
    const { before, after } = waiter;
    if (before === undefined) this.head = after;
    else before.after = after;
    if (after === undefined) this.tail = before;
    else after.before = before;
    waiter.before = undefined;
    waiter.after = undefined;
    this.size--;
  }
}

/** Binary heap by start tag; each flow knows its place, so that it can be taken out or moved in O(log n). */
export class FlowHeap<T> {
  readonly #flows: Flow<T>[] = [];

  get size(): number {
    return this.#flows.length;
  }

  get first(): Flow<T> | undefined {
    return this.#flows[0];
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
