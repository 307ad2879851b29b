/** What the balancers know of an endpoint, and whether it may be chosen. */

/** An endpoint as the balancers see it; the owner changes it in place. */
export interface Candidate {
  /** Place in the upstream's list. */
  readonly index: number;
  /** Name that stays the same over restarts and on every node; places the endpoint on the hash ring. */
  readonly id: string;
  /** Effective weight, slow start applied; 0 takes no new requests. Call `Balancer.changed` after changing it. */
  weight: number;
  /** Weight without slow start: as configured, times what its agent says. */
  readonly fullWeight: number;
  /** Panic may choose it. */
  readonly usable: boolean;
  /** Requests under way. */
  inflight: number;
  /** Healthy, not ejected, not full. Call `Balancer.changed` after changing it. */
  available: boolean;
}

/**
 * Endpoints (by index) that this request has already been tried on; undefined on the first try. A list, for it holds
 * at most as many as there are tries (ten), whatever the number of endpoints, and the first try allocates none.
 */
export type Tried = readonly number[] | undefined;

/** Chooses endpoints. */
export interface Balancer {
  /**
   * The endpoint for a request: available, weight above 0, not tried. Undefined: there is none. `key`: what `hash`
   * goes by (undefined: none, any endpoint may be chosen); the others do not look at it.
   */
  pick(key: string | number | undefined, tried: Tried): Candidate | undefined;
  /** To be called when weights or availability have changed. Cheap enough for each step of a slow start. */
  changed(): void;
}

/** Whether a candidate may be chosen now. */
export function isEligible(candidate: Candidate, tried: Tried): boolean {
  return candidate.available && candidate.weight > 0 && (tried === undefined || !tried.includes(candidate.index));
}
