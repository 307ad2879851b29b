/**
 * Where a worker's access log lines go. A file is written by each worker itself, in whole batches with O_APPEND: passing
 * them through the supervisor cost a fifth of a request's CPU (decisions/004). Standard output has one writer, the
 * supervisor, because batches of several workers would mix in a pipe.
 */
import { systemClock } from '../kernel/clock.ts';
import type { Events, NoticeEvent } from '../kernel/event.ts';
import { type LogSink, type LogWriter, type Observer, openLog } from '../observe/observe.ts';

/** The log of one worker; follows the configuration. */
export class WorkerLog {
  readonly #events: Events;
  readonly #pipe: LogSink;
  #target = 'off';
  #file: LogWriter | undefined = undefined;

  /** `pipe`: the way to the supervisor. */
  constructor(events: Events, pipe: LogSink) {
    this.#events = events;
    this.#pipe = pipe;
  }

  /** Sends lines where `target` says: `off`, `stdout`, or a file. */
  async follow(target: string, observer: Observer): Promise<void> {
    if (target === this.#target) return;
    const before = this.#file;
    this.#target = target;
    this.#file = target === 'off' || target === 'stdout' ? undefined : await this.#open(target, observer);
    observer.setAccessLog(target === 'off' ? undefined : (this.#file ?? this.#pipe));
    await before?.close();
  }

  /** Opens the file anew, after it was renamed. */
  async reopen(): Promise<void> {
    await this.#file?.reopen();
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    await this.#file?.close();
  }

  /** The supervisor has opened the file before, so this fails rarely; lines then go through it. */
  async #open(target: string, observer: Observer): Promise<LogWriter | undefined> {
    const notice = (one: NoticeEvent) => this.#events.emit('notice', one);
    try {
      return await openLog(target, {
        clock: systemClock,
        notice,
        onDrain: () => observer.logDrained(),
        onDrop: (lines) => observer.metrics.logDropped('access', lines),
      });
    } catch (error) {
      notice({ level: 'error', message: `log ${target}: ${error instanceof Error ? error.message : error}` });
      return undefined;
    }
  }
}
