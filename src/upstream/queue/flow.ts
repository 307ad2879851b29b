/** A request that waits, and those of one tenant. */

/** What decides about a request's place. */
export interface Order {
  priority: number;
  tenant: string;
  weight: number;
  cost: number;
}

/** A request in the queue. Its links belong to the queue. */
export class Waiter<T> {
  readonly value: T;
  readonly priority: number;
  readonly tenant: string;
  readonly weight: number;
  readonly cost: number;
  /** Monotonic milliseconds. */
  readonly since: number;
  flow: Flow<T> | undefined = undefined;
  /** Neighbours in its class, by arrival. */
  older: Waiter<T> | undefined = undefined;
  newer: Waiter<T> | undefined = undefined;
  /** Neighbours in its flow. */
  before: Waiter<T> | undefined = undefined;
  after: Waiter<T> | undefined = undefined;

  constructor(value: T, order: Order, since: number) {
    this.value = value;
    this.priority = order.priority;
    this.tenant = order.tenant;
    this.weight = order.weight;
    this.cost = Math.max(1, order.cost);
    this.since = since;
  }
}

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
