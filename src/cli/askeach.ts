/** One batch of questions for leases, divided among those who decide. */
import type { LeaseAsk, LeaseGrant } from '../policy/quota/quota.ts';

/** Decides on the leases of some limits. */
interface Decider {
  exchange(worker: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]>;
}

/** Asks each for its own. `of`: question → its place among `deciders`. Answers in the order of the questions, at once where all do. */
export function askEach(
  deciders: readonly Decider[],
  of: readonly number[],
  worker: number,
  asks: readonly LeaseAsk[],
): LeaseGrant[] | Promise<LeaseGrant[]> {
  const answers = deciders.map((decider, i) => {
    const some = asks.filter((_, at) => of[at] === i);
    return some.length === 0 ? [] : decider.exchange(worker, some);
  });
  const join = (grants: readonly (readonly LeaseGrant[])[]): LeaseGrant[] => {
    const next = deciders.map(() => 0);
    return of.map((one) => grants[one]?.[(next[one] as number)++] as LeaseGrant);
  };
  return answers.some((one) => one instanceof Promise)
    ? Promise.all(answers).then(join)
    : join(answers as LeaseGrant[][]);
}
