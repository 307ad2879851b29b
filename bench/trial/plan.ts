/** What happens in a trial: how requests arrive, what the servers can do, and what is done to the proxy. */

import { CROWD, type Crowd } from './crowd.ts';

/** One trial. Times in milliseconds unless said otherwise. */
export interface TrialPlan {
  kind: 'reload' | 'failover' | 'overload' | 'queue';
  /** Requests a second, arriving at random whatever becomes of the others. */
  perSecond: number;
  /** How long a client waits. */
  deadlineMs: number;
  /** Every so many-th request comes on a new connection; the others on kept ones. 0: none. */
  freshEvery: number;
  /** Every so many-th request is for a stream. 0: none. */
  streamEvery: number;
  events: number;
  eventMs: number;
  servers: number;
  /** Requests that a server works on at once, and how long each takes. */
  slots: number;
  serviceMs: number;
  /** Who asks, where callers are told apart. */
  crowd?: Crowd;
}

/** Requests a second that the servers can answer. */
export const capacity = ({ servers, slots, serviceMs }: TrialPlan): number => (servers * slots * 1000) / serviceMs;

/** Reloads one after the other, each moving all traffic to the other of two servers, under requests and open streams. */
export const RELOAD: TrialPlan = {
  ...{ kind: 'reload', perSecond: 300, deadlineMs: 5000, freshEvery: 3, streamEvery: 15, events: 20, eventMs: 50 },
  ...{ servers: 2, slots: 1000, serviceMs: 5 },
};

/** One of three servers after the other is killed and comes back. */
export const FAILOVER: TrialPlan = {
  ...{ kind: 'failover', perSecond: 1000, deadlineMs: 5000, freshEvery: 10, streamEvery: 0, events: 2, eventMs: 50 },
  ...{ servers: 3, slots: 1000, serviceMs: 10 },
};

/** Three times what the server can answer. */
export const OVERLOAD: TrialPlan = {
  ...{ kind: 'overload', perSecond: 600, deadlineMs: 2000, freshEvery: 10, streamEvery: 0, events: 2, eventMs: 50 },
  ...{ servers: 1, slots: 40, serviceMs: 200 },
};

/** Three times what the server can answer, of several tenants and classes, before a queue. */
export const QUEUE: TrialPlan = {
  ...{ kind: 'queue', perSecond: 600, deadlineMs: 2000, freshEvery: 10, streamEvery: 0, events: 2, eventMs: 50 },
  ...{ servers: 1, slots: 40, serviceMs: 200, crowd: CROWD },
};
