/** The state machine of one endpoint's health. Pure. */

/** Thresholds of the machine. */
export interface Thresholds {
  /** Failed probes in a row before the endpoint is taken out. */
  unhealthyAfter: number;
  /** Good probes in a row before it comes back. */
  healthyAfter: number;
}

/**
 * `unknown` until the first probe has ended; requests may go there meanwhile. The first verdict counts at once, in
 * either direction: a gateway that starts beside a dead server should not send it traffic for three more intervals.
 */
export interface HealthState {
  status: 'unknown' | 'healthy' | 'unhealthy';
  /** Probes in a row that contradict `status`. */
  against: number;
}

/** Before any probe. */
export const initialHealth: HealthState = { status: 'unknown', against: 0 };

/** The state after a probe that was good or not. Returns the same object when nothing has changed. */
export function nextHealth(state: HealthState, good: boolean, thresholds: Thresholds): HealthState {
  const said = good ? 'healthy' : 'unhealthy';
  if (state.status === 'unknown') return { status: said, against: 0 };
  if (state.status === said) return state.against === 0 ? state : { status: said, against: 0 };
  const against = state.against + 1;
  const needed = good ? thresholds.healthyAfter : thresholds.unhealthyAfter;
  return against >= needed ? { status: said, against: 0 } : { status: state.status, against };
}
