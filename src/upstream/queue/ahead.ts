/** Who of a class is served next, without serving anybody. */
import type { Waiter } from './flow.ts';
import type { FlowHeap } from './flowheap.ts';

/** The first so many in the order of start-time fair queueing (fairqueue.ts), if nobody came or left. O(`most`²). */
export function firstOf<T>(heap: FlowHeap<T>, most: number): Waiter<T>[] {
  const first: Waiter<T>[] = [];
  // Of other tenants nobody can be among them.
  const flows = heap.least(most).map(({ head, start, weight }) => ({ head, start, weight }));
  while (first.length < most) {
    let next: (typeof flows)[number] | undefined;
    for (const flow of flows)
      if (flow.head !== undefined && (next === undefined || flow.start < next.start)) next = flow;
    if (next?.head === undefined) break;
    const { head } = next;
    first.push(head);
    next.start += head.cost / next.weight;
    next.head = head.after;
  }
  return first;
}
