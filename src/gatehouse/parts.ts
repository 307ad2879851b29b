/** What a worker's data plane needs from the process around it. */
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import type { TlsShared } from '../listen/tlsshared.ts';
import type { KeyTable, KeyUses, Tokens } from '../policy/access/access.ts';
import type { Registry } from '../policy/authorize/authorize.ts';
import type { Readings, Share } from '../policy/overload/overload.ts';
import type { AskAuthority } from '../policy/quota/quota.ts';
import type { ServiceAnswer, ServiceRequest } from '../policy/token/token.ts';
import type { AskQueue } from '../upstream/queue/queue.ts';
import type { Lookup } from '../upstream/resolve.ts';
import type { UpstreamParts } from '../upstream/upstream.ts';
import type { AskCount } from './counting.ts';
import type { SnapshotInput } from './snapshot.ts';

/** What a worker is given from outside. */
export interface WorkerParts {
  clock: Clock;
  events: Events;
  /** Name of this instance in Via, the same for all its workers; loops are recognised by it. */
  pseudonym: string;
  /** Start of this worker's request ids; unique for each worker and start. */
  idPrefix: string;
  /** Resolver for host names; the system's when left out. */
  lookup?: Lookup;
  /** Which of how many workers this is, under a configuration; the only one when left out. */
  share?: (config: SnapshotInput['config']) => Share;
  /** Reads the process, for the limits of `overload`. */
  readings?: () => Readings;
  /** Frees memory that is no longer used. */
  collect?: () => void;
  /** File descriptors: as many as there may be, and those in use beside connections. */
  descriptors?: { limit: number; used: () => number };
  /** Certificates, ticket keys and challenges that come while the worker runs; its own when left out. */
  tls?: TlsShared;
  /** Asks for the bound handle of a listener again, which stopped accepting; `listen` is then called with it. */
  relisten?: (listener: string) => void;
  /** Keys of the store, as the directory tells them; none when left out. */
  keys?: KeyTable;
  /** Plans and tenants of the store, as the directory tells them; none when left out. */
  registry?: Registry;
  /** Told about once a minute which keys of the store were used. */
  used?: (uses: KeyUses) => Promise<unknown>;
  /** Whom to ask for leases of limits; this worker grants them itself when left out, as in a process that is alone. */
  askAuthority?: AskAuthority;
  /** Whom to ask for places at servers; this worker grants them itself when left out. */
  askQueue?: AskQueue;
  /** What is known for the check of tokens. */
  tokens?: Tokens;
  /** Why what requests use cannot be written down; '' while it can. */
  ledgerTrouble?: () => string;
  /** Whom to ask for what a service of ours answers; nobody when left out. */
  askService?: (service: string, request: ServiceRequest) => Promise<ServiceAnswer>;
  /** Whom to ask for a count of tokens; they are estimated when left out. */
  askCount?: AskCount;
  /** Whom to ask before a breaker's probe; nobody when left out, as in a process that is alone. */
  askProbe?: UpstreamParts['askProbe'];
}

/** The share of a worker that nobody has told that there are others. */
export const ALONE: Share = { slot: 0, workers: 1 };
