/** Who asks in a trial of queues: tenants of several classes, and clients that do not wait long. Pure. */

/** One kind of caller. */
export interface Caller {
  /** `realtime`, `batch` or `test`: what is more important goes first. */
  class: string;
  tenant: string;
  /** Share of the arrivals, relative to the others. */
  share: number;
}

/** All callers of a trial. */
export interface Crowd {
  callers: readonly Caller[];
  /** Every so many-th request is of a client that leaves after `impatientMs`. */
  impatientEvery: number;
  impatientMs: number;
}

/** Classes, the most important first. */
export const CLASSES = ['realtime', 'batch', 'test'] as const;

/** Number of a class: less is more important. */
export const rankOf = ({ class: name }: Caller): number => CLASSES.indexOf(name as (typeof CLASSES)[number]);

/** The key of a tenant. */
export const keyOf = (tenant: string): string => `bench-key-of-${tenant}-0123456789`;

/** Field lines by which a proxy knows who calls. */
export const fieldsOf = ({ class: name, tenant }: Caller): string =>
  `x-priority: ${name}\r\nAuthorization: Bearer ${keyOf(tenant)}\r\n`;

/**
 * A fifth live, half batch work of three tenants of whom one asks six times as much as another, the rest tests of two. Live
 * requests fit, batch work fits in part.
 */
export const CROWD: Crowd = {
  callers: [
    { class: 'realtime', tenant: 'live-a', share: 12 },
    { class: 'realtime', tenant: 'live-b', share: 8 },
    { class: 'batch', tenant: 'batch-a', share: 30 },
    { class: 'batch', tenant: 'batch-b', share: 15 },
    { class: 'batch', tenant: 'batch-c', share: 5 },
    { class: 'test', tenant: 'test-a', share: 20 },
    { class: 'test', tenant: 'test-b', share: 10 },
  ],
  impatientEvery: 10,
  impatientMs: 400,
};
