/**
 * The typed channel between supervisor and workers, over Node's IPC (`child_process.fork`). A message of an unknown type,
 * version or shape is reported and ignored, so that an old worker survives a newer supervisor during an upgrade, and the
 * other way round.
 */
import { CHANNEL_VERSION, type Kind, type Shapes } from './messages.ts';

/** The end of an IPC pipe: a `ChildProcess`, or `process` in the child. */
export interface Port {
  readonly connected: boolean;
  send?(message: object, handle: unknown, options: object, callback: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
}

/** What the two ends do with what arrives. */
export interface ChannelHandlers<In> {
  message(message: In, handle: unknown): void;
  /** A message that was ignored, or could not be sent; a sentence for the log. */
  trouble(reason: string): void;
  /** The other side has caught up after `offer` said no. */
  caughtUp?(): void;
}

/** Messages that may wait unsent before `offer` says no: a process that is stuck must not fill ours. */
const MAX_WAITING = 64;

/** Errors that say that nobody reads any more; that the other process has ended is told later, when what it said has been read. */
const GONE: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET', 'ERR_IPC_CHANNEL_CLOSED', 'ERR_IPC_DISCONNECTED']);

/** One end of the channel. */
export class Channel<Out extends { type: string }, In extends { type: string }> {
  readonly #port: Port;
  readonly #shapes: Record<string, Record<string, Kind | undefined>>;
  readonly #handlers: ChannelHandlers<In>;
  #waiting = 0;
  #refused = false;
  /** Nobody reads any more. */
  #gone = false;
  readonly #flushed: (() => void)[] = [];

  /** `shapes`: what this end accepts. */
  constructor(port: Port, shapes: Shapes<In>, handlers: ChannelHandlers<In>) {
    this.#port = port;
    this.#shapes = shapes as Record<string, Record<string, Kind | undefined>>;
    this.#handlers = handlers;
    port.on('message', (raw, handle) => {
      const problem = this.#check(raw);
      if (problem === undefined) handlers.message(raw as In, handle);
      else handlers.trouble(`ignored ${problem}`);
    });
  }

  /** Messages handed over that the other process has not taken yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Sends what must arrive. A closed channel drops it: the end of the process is noticed elsewhere. */
  send(message: Out, handle?: unknown): void {
    if (this.#gone || !this.#port.connected || !this.#port.send) return;
    this.#waiting++;
    this.#port.send({ v: CHANNEL_VERSION, ...message }, handle, {}, (error) => {
      this.#waiting--;
      if (this.#waiting === 0) for (const done of this.#flushed.splice(0)) done();
      if (error) this.#failed(message.type, error);
      if (this.#refused && this.#waiting < MAX_WAITING / 2) {
        this.#refused = false;
        this.#handlers.caughtUp?.();
      }
    });
  }

  #failed(type: string, error: Error): void {
    if (GONE.has((error as NodeJS.ErrnoException).code)) this.#gone = true;
    // Of a notice that cannot be sent no notice can tell either.
    else if (this.#port.connected && type !== 'notice')
      this.#handlers.trouble(`could not send ${type}: ${error.message}`);
  }

  /** Resolves when everything sent has left this process, or cannot leave any more. */
  async flush(): Promise<void> {
    if (this.#waiting > 0 && this.#port.connected && !this.#gone)
      await new Promise<void>((done) => this.#flushed.push(done));
  }

  /** Sends what may be left out or said again later; false when the other side is too far behind. */
  offer(message: Out): boolean {
    if (this.#waiting >= MAX_WAITING) {
      this.#refused = true;
      return false;
    }
    this.send(message);
    return true;
  }

  #check(raw: unknown): string | undefined {
    if (typeof raw !== 'object' || raw === null) return 'a message that is no object';
    const message = raw as Record<string, unknown>;
    const type = String(message.type);
    if (message.v !== CHANNEL_VERSION) return `message ${type} of version ${message.v} (this is ${CHANNEL_VERSION})`;
    const shape = Object.hasOwn(this.#shapes, type) ? this.#shapes[type] : undefined;
    if (!shape) return `unknown message ${type}`;
    for (const field in shape) {
      const value = message[field];
      const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
      if (shape[field] !== 'any' && kind !== shape[field]) return `message ${type} whose ${field} is ${kind}`;
    }
    return undefined;
  }
}
