/**
 * The worker's end of the channel: turns messages into calls of the data plane, one after the other, and its answers
 * into messages. When the channel closes, the supervisor is gone: the worker drains and exits rather than serving on,
 * unwatched and with a configuration that nobody can change.
 */
import type { Clock } from '../kernel/clock.ts';
import { Asker, type TopicHandler } from './asker.ts';
import { Channel, type Port } from './channel.ts';
import type {
  AgentChange,
  BreakerChange,
  EndpointHealth,
  Snapshot,
  ToSupervisor,
  ToWorker,
  UpstreamLevels,
} from './messages.ts';
import { TO_WORKER } from './messages.ts';

export type { TopicHandler } from './asker.ts';

export { topicOf } from './directory.ts';
export { type DirectoryConsumer, followDirectory } from './follower.ts';
export type { EndpointHealth, Snapshot } from './messages.ts';

/** What the data plane does when told. */
export interface WorkerHandlers {
  /** Compiles and swaps; throws when it cannot, and then the old snapshot goes on. `health`: what is known now. */
  update(snapshot: Snapshot, health: EndpointHealth[]): void | Promise<void>;
  /** This configuration says who may go on; the rest of it does not concern us any more. */
  inForce?(config: object): void;
  /** Accepts on a bound handle. */
  listen(listener: string, handle: object, address: string): Promise<void>;
  /** Stops accepting there. */
  unlisten(listener: string, address: string): void | Promise<void>;
  endpointHealth(changes: EndpointHealth[]): void;
  /** These faults run now. */
  chaos?(running: readonly unknown[]): void;
  /** What other workers, or an operator, say about breakers. */
  breakers?(changes: BreakerChange[]): void;
  /** The answer to `Link.askProbe`. */
  probeGranted?(upstream: string, endpoint: string, granted: boolean): void;
  /** What the agents beside the servers say. */
  agents?(changes: AgentChange[]): void;
  /** The access log file was renamed. */
  reopenLog?(): void | Promise<void>;
  drain(deadlineMs: number): Promise<void>;
  /** The supervisor has gone, and nobody of its kind will come back to us; we drain. */
  orphaned?(): void;
  /** All counters since the start, in any form that structured clone takes. */
  metrics?(): unknown;
  /** Last thing before the process exits: writes out what is buffered. */
  close?(): void | Promise<void>;
}

/** What `linkToSupervisor` needs. */
export interface LinkOptions {
  /** `process` of a forked child. */
  port: Port & {
    on(event: 'disconnect', listener: () => void): unknown;
    readonly pid: number;
    readonly version: string;
  };
  clock: Clock;
  handlers: WorkerHandlers;
  /** Ends the process. */
  exit(code: number): void;
  /** Between two reports of metrics, in milliseconds. */
  reportEvery?: number;
  /** How long requests may run on when the supervisor has gone, in milliseconds. */
  orphanDeadline?: number;
}

/** What a worker may say by itself. */
export interface Link {
  notice(level: 'info' | 'warn' | 'error', message: string, attributes?: Record<string, unknown>): void;
  observed(change: EndpointHealth): void;
  levels(change: UpstreamLevels): void;
  /** Asks for the handle of a listener again. */
  relisten(listener: string): void;
  /** A breaker has changed by what requests met here. */
  breaker(change: BreakerChange): void;
  /** Asks for the one probe of an open breaker, or gives it back. */
  askProbe(upstream: string, endpoint: string, take: boolean): void;
  /** Asks a service of the supervisor; rejects when it refuses, or says nothing for `timeoutMs`. */
  ask(service: string, payload: unknown, timeoutMs: number): Promise<unknown>;
  /** Tells a service something, which answers where and when it wants (`hear`). */
  tell(service: string, payload: unknown): void;
  /** Takes what a service says by itself. */
  hear(service: string, hearer: (payload: unknown) => void): void;
  /** Keeps a copy of a topic; register before the first snapshot comes, that is at once. */
  follow(topic: string, handler: TopicHandler): void;
  /** Drains and exits on its own account (a signal); the supervisor replaces it at once. */
  leave(reason: string, deadlineMs: number): void;
}

/** Milliseconds beyond the drain deadline after which the process ends in any case. */
const OVERTIME = 2000;

/** Connects the data plane to the supervisor. */
export function linkToSupervisor(options: LinkOptions): Link {
  const { port, clock, handlers } = options;
  let ending = false;
  let turn: Promise<void> = Promise.resolve();
  const hearers = new Map<string, (payload: unknown) => void>();
  const asker = new Asker(clock, (asks) => channel.send({ type: 'ask', asks }));
  const channel = new Channel<ToSupervisor, ToWorker>(port, TO_WORKER, {
    message: (message, handle) => {
      // Answers and revocations do not wait until a snapshot has been compiled and its names resolved.
      if (message.type === 'answers') return asker.answered(message.answers);
      if (message.type === 'said') return hearers.get(message.service)?.(message.payload);
      if (message.type === 'topic') return asker.told(message);
      if (message.type === 'mark') return channel.send({ type: 'marked', id: message.id });
      // Snapshots compile and sockets open in the order they were told.
      turn = turn
        .then(() => act(message, handle))
        .catch((error) => link.notice('error', `${message.type} failed: ${reasonOf(error)}`));
    },
    trouble: (reason) => link.notice('warn', reason),
  });

  const report = () => {
    const said = handlers.metrics && channel.offer({ type: 'metrics', snapshot: handlers.metrics() });
    if (!said) channel.offer({ type: 'heartbeat' });
  };
  const reports = clock.every(options.reportEvery ?? 1000, report);

  async function end(deadlineMs: number, code: number): Promise<void> {
    if (ending) return;
    ending = true;
    // Nobody else ends an orphan whose drain hangs.
    clock.after(deadlineMs + OVERTIME, () => options.exit(1));
    try {
      await handlers.drain(deadlineMs);
      reports.cancel();
      report();
      await handlers.close?.();
    } catch (error) {
      link.notice('error', `draining failed: ${reasonOf(error)}`);
    }
    channel.send({ type: 'drained' });
    await channel.flush();
    options.exit(code);
  }

  async function act(message: ToWorker, handle: unknown): Promise<void> {
    switch (message.type) {
      case 'snapshot': {
        const { generation } = message.snapshot;
        try {
          await handlers.update(message.snapshot, message.health);
          channel.send({ type: 'snapshotApplied', generation });
        } catch (error) {
          channel.send({ type: 'snapshotFailed', generation, reason: reasonOf(error) });
        }
        return;
      }
      case 'inForce':
        handlers.inForce?.(message.config);
        return;
      case 'listen': {
        const { listener, address } = message;
        try {
          if (typeof handle !== 'object' || handle === null) throw new Error('no socket came with the message');
          await handlers.listen(listener, handle, address);
          channel.send({ type: 'listening', listener, address });
        } catch (error) {
          channel.send({ type: 'listenFailed', listener, address, reason: reasonOf(error) });
        }
        return;
      }
      case 'unlisten':
        try {
          await handlers.unlisten(message.listener, message.address);
        } catch (error) {
          link.notice('warn', `closing listener ${message.listener} (${message.address}) failed: ${reasonOf(error)}`);
        }
        return;
      case 'endpointHealth':
        handlers.endpointHealth(message.changes);
        return;
      case 'chaos':
        handlers.chaos?.(message.running);
        return;
      case 'breakers':
        handlers.breakers?.(message.changes);
        return;
      case 'probeGranted':
        handlers.probeGranted?.(message.upstream, message.endpoint, message.granted);
        return;
      case 'agents':
        handlers.agents?.(message.changes);
        return;
      case 'reopenLog':
        await handlers.reopenLog?.();
        return;
      case 'drain':
        // Not awaited: what comes while it drains is still heard.
        void end(message.deadlineMs, 0);
    }
  }

  const link: Link = {
    notice: (level, message, attributes = {}) => channel.send({ type: 'notice', level, message, attributes }),
    observed: (change) => void channel.offer({ type: 'endpointObserved', ...change }),
    levels: (change) => channel.send({ type: 'levels', ...change }),
    relisten: (listener) => channel.send({ type: 'relisten', listener }),
    breaker: (change) => channel.send({ type: 'breaker', change }),
    askProbe: (upstream, endpoint, take) => channel.send({ type: 'probe', upstream, endpoint, take }),
    ask: (service, payload, timeoutMs) => asker.ask(service, payload, timeoutMs),
    tell: (service, payload) => channel.send({ type: 'tell', service, payload }),
    hear: (service, hearer) => void hearers.set(service, hearer),
    follow: (topic, handler) => asker.follow(topic, handler),
    leave: (reason, deadlineMs) => {
      if (ending) return;
      channel.send({ type: 'leaving', reason });
      void end(deadlineMs, 0);
    },
  };
  port.on('disconnect', () => {
    handlers.orphaned?.();
    void end(options.orphanDeadline ?? 30_000, 0);
  });
  channel.send({ type: 'hello', pid: port.pid, node: port.version });
  return link;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
