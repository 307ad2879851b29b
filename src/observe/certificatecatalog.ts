/** What the supervisor counts about certificates. */
import type { MetricDefinition } from './definition.ts';

/** A part of `SUPERVISOR_METRICS`. */
export const CERTIFICATE_METRICS: Record<
  'certificatesIssued' | 'certificateExpiry' | 'certificateLifetime',
  MetricDefinition
> = {
  certificatesIssued: {
    kind: 'counter',
    name: 'gatehouse_certificate_issuances_total',
    labels: ['result'],
    help: 'Attempts to have a certificate issued by ACME; `result` is issued or failed.',
  },
  certificateExpiry: {
    kind: 'gauge',
    name: 'gatehouse_certificate_expiry_timestamp_seconds',
    labels: ['source', 'certificate'],
    help: 'When a certificate in use expires, in seconds since 1970; the 500 that expire soonest. `source` is config, folder, acme or store; `certificate` is its first name.',
    unit: 'seconds',
    merge: 'last',
  },
  certificateLifetime: {
    kind: 'gauge',
    name: 'gatehouse_certificate_lifetime_seconds',
    labels: ['source', 'certificate'],
    help: 'How long it is good altogether, for alerts that fit its age.',
    unit: 'seconds',
    merge: 'last',
  },
};
