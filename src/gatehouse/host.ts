/** What a worker is to the requests that it serves. */
import type { TokenRatios } from '../ai/ai.ts';
import type { Clock } from '../kernel/clock.ts';
import type { GatehouseError } from '../kernel/error.ts';
import type { Events } from '../kernel/event.ts';
import type { TlsShared } from '../listen/tlsshared.ts';
import type { Chaos } from '../policy/chaos/chaos.ts';
import type { Overload } from '../policy/overload/overload.ts';
import type { Quota } from '../policy/quota/quota.ts';
import type { Counting } from './counting.ts';
import type { OpenCalls } from './opencalls.ts';
import type { PaidTimes } from './paidtime.ts';
import type { WorkerParts } from './parts.ts';
import type { Snapshot } from './snapshot.ts';
/** What the worker offers to its passages. */
export interface Host<Passage> {
  readonly clock: Clock;
  readonly events: Events;
  readonly snapshot: Snapshot;
  /** Faults on purpose; undefined while there are none. */
  readonly chaos: Chaos | undefined;
  readonly overload: Overload;
  /** Knows the challenges of certification authorities that are under way. */
  readonly tls: TlsShared;
  readonly quota: Quota;
  /** Requests of callers that are known, on their way. */
  readonly callers: OpenCalls;
  /** Requests whose time costs money, on their way. */
  readonly paidTimes: PaidTimes;
  /** Whom to ask for what a service of ours answers. */
  readonly askService: WorkerParts['askService'];
  /** What is known about how models count. */
  readonly ratios: TokenRatios;
  readonly counting: Counting;
  /** Requests that are here now. */
  readonly underWay: number;
  /** Name of this instance in Via. */
  readonly pseudonym: string;
  /** Start of this worker in seconds since 1970, as `created` of the models it lists. */
  readonly createdAt: number;
  /** A new request id. */
  requestId(): string;
  /** Now as an HTTP date. */
  httpDate(): string;
  /** Counts a condition of FAULTS.md. */
  fault(kind: string): void;
  /** Runs the stages from where the passage stands. */
  proceed(passage: Passage): void;
  /** Goes over to another version of its model instead of failing, where it may. */
  spill(passage: Passage, error: GatehouseError): boolean;
  /** Why what requests use cannot be written down; '' while it can. */
  readonly ledgerTrouble: string;
  /** Bytes of request bodies held now, by all passages. */
  held: number;
  /** An exchange has ended. */
  left(): void;
}
