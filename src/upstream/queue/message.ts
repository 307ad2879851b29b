/** What workers and the one that grants places say to each other. Plain data, for it may cross processes. */

/** A request that wants a place. */
export interface WaitAsk {
  type: 'wait';
  upstream: string;
  /** Of the worker that asks, unique while it waits. */
  id: number;
  /** Importance, from 0 to 100. */
  priority: number;
  /** Whose share it takes. */
  tenant: string;
  /** Relative share of that tenant. */
  weight: number;
  /** Expected work, in tokens; at least 1. */
  cost: number;
  /** How long it can wait, in milliseconds. */
  patienceMs: number;
  /** How long it has waited already (a try that failed), in milliseconds. */
  waitedMs: number;
  /** Endpoints that this worker may use now. */
  usable: readonly string[];
}

/** It waits no more. */
export interface LeaveNote {
  type: 'leave';
  upstream: string;
  id: number;
}

/** It has a place that has become free at its worker: nobody has to grant it one. */
export interface TookNote {
  type: 'took';
  upstream: string;
  id: number;
}

/** What has changed at one worker. */
export interface SeatNote {
  type: 'seats';
  upstream: string;
  /** Endpoint → places that the worker gives back. */
  back: Readonly<Record<string, number>>;
  /** Endpoint → places in use there, where that has changed. */
  used: Readonly<Record<string, number>>;
  /** Endpoint → times to the first token that were measured, in milliseconds, each followed by the size of its prompt. */
  samples: Readonly<Record<string, readonly number[]>>;
  /** Endpoint → requests that it has turned away. */
  refused: Readonly<Record<string, number>>;
  /** Endpoints that this worker may use now. */
  usable: readonly string[];
}

/** Everything a worker may say. */
export type QueueAsk = WaitAsk | LeaveNote | TookNote | SeatNote;

/** Why somebody was not let in. */
export type RefusedFor = 'full' | 'evicted' | 'late';

/** The answer to `WaitAsk`; the others have none. */
export type QueueAnswer =
  | {
      type: 'granted';
      endpoint: string;
      /** Further places there, for requests to come. */
      ahead: number;
      /** As in `BusyNote`: a worker that is new has not heard it. */
      busy: boolean;
    }
  | {
      type: 'refused';
      reason: RefusedFor;
      /** Waiting before it, and how long that would take. */
      ahead: number;
      waitMs: number;
    }
  | {
      type: 'left';
      /** The same, if it came anew. */
      ahead: number;
      waitMs: number;
    };

/** Told to every worker: whether somebody waits, so that nobody keeps places that are not in use. */
export interface BusyNote {
  upstream: string;
  busy: boolean;
}

/** For how long what is told of who is next may be gone by, in milliseconds. */
export const FRESH_MS = 100;

/**
 * Told to one worker, so that a place which becomes free there need not make its way to the authority and back: who would get it. It tells how things stood
 * when all requests of this worker up to `known` had been heard.
 */
export interface NextNote {
  upstream: string;
  /** The greatest id that was known. */
  known: number;
  /** Those who are next of all, as far as they are requests of this worker, one after the other. */
  next: readonly number[];
  /** Importance of the most important that waits beside them; -1: nobody. Beyond 100: no place may be handed over. */
  rest: number;
  /** No other worker sends requests there. */
  alone: boolean;
}
