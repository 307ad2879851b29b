/** What the bench and its two helper processes (load generator, stand-in upstream) say to each other over IPC. */

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

/** Where and what the load generator asks. */
export interface Target {
  host: string;
  port: number;
  /** PEM certificate to trust; TLS when present. */
  ca?: string;
  /** Whole request heads without the framing fields, to take turns with; each ends in CRLF. */
  heads: string[];
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
  /** Microseconds per request (or to the first event), paced runs only. */
  latencies: number[];
  /** Streams whose head has arrived. */
  openStreams: number;
}
