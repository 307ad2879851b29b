/** Trials and upgrades. Pure: documents in, documents out; who writes them to the store passes the versions it has read. */

/** What is said of a trial that begins. */
export interface TrialOrder {
  /** Id of the new tenant. */
  tenant: string;
  /** What people call it. */
  name?: string;
  /** Plan for trials. */
  plan: string;
  /** Its `trialPeriod` in milliseconds; how long the trial lasts. */
  trialPeriodMs: number;
  /** Whom its first key stands for. */
  principal: string;
  /** What is known of who has signed up, such as `{ email: … }`. */
  labels?: Record<string, string>;
  /** Wall clock, milliseconds since 1970. */
  now: number;
}

/** A tenant as a trial makes it: goes into `tenantDocument`. */
export interface TrialTenant {
  id: string;
  name: string;
  plan: string;
  labels: Record<string, string>;
  trialEndsAt: number;
  createdAt: number;
}

/** What the key of a trial is made from: goes into `createKey`. */
export interface TrialKey {
  principal: string;
  tenant: string;
  name: string;
  expiresAt: number;
  trial: true;
}

/**
 * Tenant and order of a key for somebody who tries it out. The key names no plan, so that it has what its tenant has once that
 * is upgraded; and it expires with the trial, for trial keys are not for keeps.
 */
export function beginTrial(order: TrialOrder): { tenant: TrialTenant; key: TrialKey } {
  const { tenant, plan, trialPeriodMs, principal, now, labels = {}, name = tenant } = order;
  if (!(trialPeriodMs > 0)) throw new Error('a trial needs a time: give the plan a trialPeriod');
  const trialEndsAt = now + trialPeriodMs;
  return {
    tenant: { id: tenant, name, plan, labels, trialEndsAt, createdAt: now },
    key: { principal, tenant, name: 'trial', expiresAt: trialEndsAt, trial: true },
  };
}

/** A tenant on another plan for good: its trial, if it was one, is over. */
export function upgradeTenant<T extends { plan?: string | undefined; trialEndsAt?: number | undefined }>(
  tenant: T,
  plan: string,
): T {
  const { trialEndsAt: _, ...rest } = tenant;
  return { ...rest, plan } as T;
}

/** A key of a trial that goes on after it: no end, and no trial any more. Of other keys nothing changes. */
export function keepTrialKey<T extends { trial?: boolean | undefined; expiresAt?: number | undefined }>(key: T): T {
  if (key.trial !== true) return key;
  const { expiresAt: _, ...rest } = key;
  return { ...rest, trial: false } as T;
}
