/** How much a request needs of each unit, and how little would do. */
import type { Unit } from './rule.ts';

/** How much of each unit: what a request may use, and in the end what it has used. */
export interface Demand extends Readonly<Record<Exclude<Unit, 'requests' | 'concurrency'>, number>> {
  /** Bytes that the body may have, where it does not say. */
  readonly bytesMost?: number;
  /** In the end: bytes of the answer, and whether that is all of it. */
  readonly answerBytes?: number;
  readonly answerWhole?: boolean;
}

/** A request that can do with less than it would like to have. */
export interface Flexible {
  /** Less than this is of no use. */
  readonly least: Demand;
  /** Makes do with this share of what it has wanted beyond the least so far; gives what it needs then. */
  shrink(share: number): Demand;
}

/** Units of one kind that are named. */
export function unitsOf(demand: Partial<Demand>, unit: Unit): number {
  return unit === 'requests' || unit === 'concurrency' ? 0 : (demand[unit] ?? 0);
}

/** Units that a limit is asked for. An answer has bytes, and a body may have more than it said: none may begin where nothing is left. */
export function unitsFor(unit: Unit, demand: Demand): number {
  if (unit === 'requests' || unit === 'concurrency') return 1;
  return unit === 'bytes' ? Math.max(1, demand.bytes) : demand[unit];
}
