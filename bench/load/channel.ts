/** What the bench and its helper processes (load generator, stand-in upstream, endpoints) say to each other over IPC. */
import type { Outcome, Outcomes } from './outcome.ts';
import type { ProofMaker } from './proof.ts';

/** How the stand-in upstream answers. */
export type Answer =
  | { kind: 'body'; bytes: number }
  /** Streams that emit `eventsPerSecond` each, without end, phases spread evenly. */
  | { kind: 'endless'; eventsPerSecond: number }
  /** A stream of `events` events, the first together with the head, the rest 5 ms apart. */
  | { kind: 'short'; events: number };

/** Orders to the upstream. */
export type UpstreamOrder = { do: 'listen' } | { do: 'answer'; answer: Answer } | { do: 'report' } | { do: 'stop' };

/** What the upstream has seen since its last report. */
export interface UpstreamReport {
  requests: number;
  /** Request body length → how often. */
  lengths: Record<string, number>;
  eventsSent: number;
  openStreams: number;
}

/** Orders to an endpoint of a trial. */
export type EndpointOrder =
  | {
      do: 'serve';
      port: number;
      /** Requests that are worked on at once, for `serviceMs` each; the others wait. */
      slots: number;
      serviceMs: number;
      /** Streams, which take no slot, have this many events, `eventMs` apart. */
      events: number;
      eventMs: number;
      /** Bytes that the body of every request must have. */
      bodyBytes: number;
      /** Notes when each request came. */
      notes: boolean;
    }
  | { do: 'report' };

/** What an endpoint has seen since its last report. */
export interface EndpointReport {
  served: number;
  /** Answers that were worked out for a client that had left. */
  wasted: number;
  /** Highest N of the hosts `turn-N` that requests came for: which configuration the proxy has been at. */
  turn: number;
  /** Number of a request → when it came (milliseconds since 1970), where that is noted. */
  begun: [string, number][];
}

/** One request of an open-loop run, from callers that are told apart. */
export interface Call {
  number: string;
  /** Place in `callers` of the order. */
  caller: number;
  /** Milliseconds since 1970. */
  dueAt: number;
  endedAt: number;
  outcome: Outcome;
}

/** Where and what the load generator asks. */
export interface Target {
  host: string;
  port: number;
  /** PEM certificate to trust; TLS when present. */
  ca?: string;
  /** Whole request heads without the framing fields, to take turns with; each ends in CRLF. */
  heads: string[];
  /** Each request gets a proof of its own. */
  proof?: ProofMaker;
  /** Bytes of the JSON request body. */
  bodyBytes: number;
  /** Expected length of the response body; 0 = any but the same each time. */
  expectBytes: number;
}

/** Orders to the load generator. `mark` starts counting anew; `finish` ends the run and asks for its counts. */
export type LoadOrder =
  | { do: 'probe'; target: Target }
  | { do: 'closed'; target: Target; connections: number; keepAlive: boolean; most: number }
  | { do: 'paced'; target: Target; connections: number; perSecond: number; events: number }
  | { do: 'streams'; target: Target; streams: number }
  | {
      do: 'open';
      target: Target;
      /** Arrivals, at random (Poisson) from `seed`. */
      perSecond: number;
      seed: number;
      /** How long the client waits for an answer; for a stream `streamMs` more. */
      deadlineMs: number;
      /** Every so many-th request comes on a connection of its own; 0: none. The others use kept ones. */
      freshEvery: number;
      /** Every so many-th request asks for a stream of `events` events; 0: none. */
      streamEvery: number;
      events: number;
      streamMs: number;
      /** Who calls: field lines, and the share of the arrivals. Each call is noted then. */
      callers?: { fields: string; share: number }[];
      /** Every so many-th request is of a client that waits for `impatientMs` only; 0: none. */
      impatientEvery?: number;
      impatientMs?: number;
    }
  | {
      do: 'pairs';
      /** What gets the load in turns, and the processes whose CPU time is read. */
      sides: readonly { target: Target; pids: readonly number[] }[];
      connections: number;
      /** Length of a turn. */
      sliceMs: number;
      /** How often each side gets two turns. */
      bouts: number;
      /** Before anything counts: so many requests to each side, in so many seconds at most. */
      warmUp: { requests: number; most: number };
    }
  | { do: 'mark' }
  | { do: 'finish'; expectEvents?: number }
  | { do: 'count' };

/** One answer, whole. */
export interface ProbeReport {
  status: number;
  head: string;
  body: string;
}

/** What a load run has counted since `mark`. */
export interface LoadReport {
  requests: number;
  events: number;
  /** What went wrong → how often. */
  errors: Record<string, number>;
  /** Microseconds per request (or to the first event), paced runs; per right answer, open-loop runs. */
  latencies: number[];
  /** How requests have ended, open-loop runs only. */
  outcomes: Outcomes;
  /** Each call that has ended, where callers are told apart. */
  calls: Call[];
  /** Streams whose head has arrived. */
  openStreams: number;
}

/** One turn of one side. */
export interface Slice {
  side: number;
  requests: number;
  /** CPU time and wall time in µs. */
  cpu: number;
  wall: number;
}

/** What a run of pairs has measured. */
export interface PairsReport {
  slices: Slice[];
  errors: Record<string, number>;
}
