/** What a request needs of one limit, and why it does not get it. */
import type { Lease } from './lease.ts';
import type { Rule } from './rule.ts';

/** Units of one limit that a request needs. */
export interface Claim {
  lease: Lease;
  units: number;
  /** Less than `units`, where so few are of use too. */
  least?: number;
  /** The limit as the configuration of this request has it. */
  rule: Rule;
  /** The authority has been asked for it. */
  asked?: boolean;
}

/** Who is in the way. */
export interface Exhausted {
  rule: Rule;
  key: string;
  /** Milliseconds; infinite when waiting is useless. */
  retryAfterMs: number;
  /** Nobody could be asked. */
  lost: boolean;
  /** See `LeaseGrant`. */
  missing?: string | undefined;
}

/** Why there is no point in asking for so many units now. */
export function refusalOf({ lease, units, least, rule }: Claim, now: number): Exhausted | undefined {
  const { key, emptyUntil, refused, retryAt, lost, missing } = lease;
  if (now >= emptyUntil || (least ?? units) - lease.idle < refused) return undefined;
  return { rule, key, retryAfterMs: Math.max(1, retryAt - now), lost, missing };
}
