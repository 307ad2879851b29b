/**
 * What happens, as typed events. Rooms emit; `observe/` subscribes. Emitting allocates nothing beyond the payload, and a
 * subscriber that throws harms nobody else.
 */
import type { Exchange } from './exchange.ts';

/** A condition of FAULTS.md that occurred; becomes `gatehouse_faults_total{kind=…}`. */
export interface FaultEvent {
  /** Short snake_case name, such as `bare_lf` or `upstream_reset`. */
  kind: string;
  /** Listener or upstream it happened on. */
  where: string;
}

/** Availability of an endpoint changed. */
export interface EndpointEvent {
  upstream: string;
  endpoint: string;
  healthy: boolean;
  reason: string;
}

/** The levels of an upstream, nearest first, take other shares of the requests than before. */
export interface LevelsEvent {
  upstream: string;
  /** Healthy share and share of the requests, from 0 to 1; empty when there is only one level. */
  levels: readonly { readonly endpoints: readonly string[]; readonly healthyShare: number; readonly load: number }[];
}

/** How near a worker is to its limits. */
export interface OverloadEvent {
  /** Share of each limit that is used up; 1 and more: reached. */
  pressures: Readonly<Record<'memory' | 'heap' | 'loopDelay', number>>;
  /** From 0 (every request is taken) to 1 (none is). */
  shedding: number;
  /** What the processors say, and how many requests a second are taken because of that. */
  system: {
    /** Requests a second; 0: as many as come. */
    rate: number;
    /** Busy shares from 0 to 1: of one core by this process, of its quota by its control group, of the machine. */
    cpu: Readonly<Record<'worker' | 'quota' | 'machine', number>>;
    /** Processor time of a request, in milliseconds. */
    ownTimeMs: number;
    /** Requests refused since the event before, or that would have been. */
    refused: number;
  };
}

/** A breaker opened, closed, or sent its probe. */
export interface BreakerEvent {
  upstream: string;
  endpoint: string;
  state: 'closed' | 'open' | 'halfOpen';
  /** An operator holds it there. */
  forced: boolean;
  /** How long it stays open, in milliseconds; 0 when it is not. */
  forMs: number;
  reason: string;
  /** This process found it out by its own requests; it was not told. */
  own: boolean;
}

/**
 * A request goes to a server, or more was reserved for it while it runs, or its answer has ended before its usage is known.
 * Subscribers may keep it until the request has ended.
 */
export interface ForwardedEvent {
  readonly exchange: Exchange;
  /** The most that it may use, as far as it is known, and what its budgets are. To be asked while it runs. */
  reserved(): Pick<Exchange, 'cost' | 'charges'> & { readonly inputTokens: number; readonly outputTokens: number };
}

/** Somebody was not let in. */
export interface AuthFailedEvent {
  /** `apiKey`, `jwt` or `certificate`; `none` where nothing told which. */
  method: string;
  /** Short snake_case name out of a closed set, such as `expired`. */
  reason: string;
  route: string;
}

/** A TLS handshake with a client has been completed. */
export interface HandshakeEvent {
  listener: string;
  /** Such as `TLSv1.3`. */
  version: string;
  /** By a ticket, without certificates and most of the cost. */
  resumed: boolean;
}

/** A request was over a limit. */
export interface LimitedEvent {
  rule: string;
  key: string;
  /** The limit only watches: the request went on. */
  observed: boolean;
  /** Milliseconds; infinite when waiting is useless. */
  retryAfterMs: number;
  exchange: Exchange;
}

/** A request waits for a place at a server. */
export interface QueueEnteredEvent {
  upstream: string;
  /** From 0 to 100. */
  priority: number;
}

/** It waits no more: it has a place (`served`), its client has gone (`left`), or it was refused for another reason. */
export interface QueueLeftEvent extends QueueEnteredEvent {
  waitedMs: number;
  end: 'served' | 'left' | 'timeout' | 'deadline' | 'full' | 'evicted' | 'late' | 'lost' | 'stranded';
}

/** A request went over to another version of its model. */
export interface SpilledEvent {
  model: string;
  from: string;
  to: string;
  /** No server could be used, no place was found in time, or a server has failed. */
  reason: 'unavailable' | 'full' | 'failed';
}

/** Something an operator should read. */
export interface NoticeEvent {
  level: 'info' | 'warn' | 'error';
  message: string;
  attributes?: Record<string, string | number | boolean>;
}

/** Name → payload of every event. */
export interface EventMap {
  connectionOpened: string;
  connectionClosed: string;
  handshake: HandshakeEvent;
  /** Connections of clients that speak HTTP/2: one more, or one less. */
  http2Connections: { listener: string; by: 1 | -1 };
  requestStarted: Exchange;
  requestForwarded: ForwardedEvent;
  requestEnded: Exchange;
  fault: FaultEvent;
  endpointChanged: EndpointEvent;
  levelsChanged: LevelsEvent;
  overload: OverloadEvent;
  limited: LimitedEvent;
  breakerChanged: BreakerEvent;
  queueEntered: QueueEnteredEvent;
  queueLeft: QueueLeftEvent;
  spilled: SpilledEvent;
  authFailed: AuthFailedEvent;
  notice: NoticeEvent;
}

type Subscriber<T> = (payload: T) => void;

/** A set of subscribers by event name. */
export class Events {
  readonly #subscribers: { [K in keyof EventMap]: Subscriber<EventMap[K]>[] } = {
    connectionOpened: [],
    connectionClosed: [],
    handshake: [],
    http2Connections: [],
    requestStarted: [],
    requestForwarded: [],
    requestEnded: [],
    fault: [],
    endpointChanged: [],
    levelsChanged: [],
    overload: [],
    limited: [],
    breakerChanged: [],
    queueEntered: [],
    queueLeft: [],
    spilled: [],
    authFailed: [],
    notice: [],
  };

  /** Subscribes; returns the function that unsubscribes. */
  on<K extends keyof EventMap>(name: K, subscriber: Subscriber<EventMap[K]>): () => void {
    const list = this.#subscribers[name];
    list.push(subscriber);
    return () => {
      const at = list.indexOf(subscriber);
      if (at >= 0) list.splice(at, 1);
    };
  }

  /** Tells every subscriber, in the order of subscription. */
  emit<K extends keyof EventMap>(name: K, payload: EventMap[K]): void {
    const list = this.#subscribers[name];
    for (let i = 0; i < list.length; i++) {
      try {
        (list[i] as Subscriber<EventMap[K]>)(payload);
      } catch (error) {
        if (name !== 'notice') this.emit('notice', { level: 'error', message: `observer of ${name} failed: ${error}` });
      }
    }
  }
}
