/** A connection of HTTP/2 as its streams see it. */
import type { Malformed } from '../../http/http2/head.ts';
import type { FloodLimits } from './budget.ts';

/** What a session allows its peer. */
export interface SessionLimits {
  /** Octets of a stream that may be under way to us. */
  readonly window: number;
  /** Octets of all its streams that may be under way to us and held here. */
  readonly connectionWindow: number;
  /** Octets of a header block, unfolded and as it travels. */
  readonly head: number;
  /** Streams that the peer may have open. */
  readonly streams: number;
  readonly floods: FloodLimits;
}

/** What a stream asks of its connection. */
export interface StreamHost {
  readonly limits: SessionLimits;
  /** Where the windows of new streams begin. */
  readonly peerWindow: number;
  /** What the peer lets us send on all streams together. */
  readonly sendWindow: number;
  /** The wire has as much as it should. */
  readonly congested: boolean;
  /** Monotonic milliseconds. */
  now(): number;
  /** A deadline of a stream: it is to be looked at then. */
  look(at: number): void;
  /** A message that must not be served. */
  malformed(stream: HostedStream, what: Malformed): void;
  /** Looks whether a stream is complete on both sides. */
  settle(stream: HostedStream): void;
  /** Octets of any stream that are used up. */
  credit(octets: number): void;
  /** Lets the peer send more. */
  windowUpdate(id: number, by: number): void;
  /** A stream waits for window or wire. */
  wait(stream: HostedStream): void;
  sendData(id: number, buffer: Buffer, start: number, end: number, flags: number): void;
  /** An empty DATA frame that ends its stream. */
  sendEmpty(id: number): void;
  /** A block of field lines that ends its stream. */
  sendTrailers(id: number, lines: string): void;
}

/** A stream as its connection sees it. */
export interface HostedStream {
  readonly id: number;
  readonly localEnded: boolean;
  readonly remoteEnded: boolean;
  readonly closed: boolean;
  waiting: boolean;
  /** Sends more of what waits. False: it must go on waiting. */
  pump(): boolean;
  /** Lets go of everything. */
  drop(): void;
  onGone(code: number, why: string): void;
}
