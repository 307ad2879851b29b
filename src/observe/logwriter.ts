/**
 * Writes log batches to a file or to standard output, in the supervisor. Writing is asynchronous even to a pipe, so a
 * stuck reader stops nobody; a full disk loses lines and says so, and serving goes on (FAULTS.md row 32).
 */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { LogSink } from './logbuffer.ts';
import { descriptorFile, type LogFile, openLogFile } from './logfile.ts';

const RETRY_MS = 20;
const NOTICE_EVERY_MS = 30_000;
const RENAME_CHECK_MS = 2000;
const LF = 0x0a;
const NEWLINE = Buffer.from('\n');

/** What a writer needs besides its target. Sizes in bytes. */
export interface LogWriterOptions {
  clock: Clock;
  /** Told when writing fails or works again, at most every 30 s. */
  notice: (notice: NoticeEvent) => void;
  /** Told of lines that were lost. */
  onDrop?: (lines: number) => void;
  /** Told when the writer has caught up after `write` gave false. */
  onDrain?: () => void;
  /** Waiting bytes from which on `write` gives false; 1 MiB when left out. */
  highWater?: number;
  /** Waiting bytes beyond which batches are dropped; 16 MiB when left out. */
  maxWaiting?: number;
}

/** One log's writer. */
export class LogWriter implements LogSink {
  readonly #target: string;
  readonly #open: (() => Promise<LogFile>) | undefined;
  readonly #options: LogWriterOptions;
  readonly #highWater: number;
  readonly #maxWaiting: number;
  readonly #watch: Timer | undefined;
  #file: LogFile;
  /** Opened by `reopen`, taken into use between two batches, so that no line is torn in two. */
  #next: LogFile | undefined = undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined = undefined;
  #reopening: Promise<void> | undefined = undefined;
  #midLine = false;
  #wantDrain = false;
  #failing = false;
  #noticedAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  /** Lines lost since the start. */
  dropped = 0;

  /** `target` names the place in messages; `open` opens it anew, where that makes sense. See also `openLog`. */
  constructor(target: string, file: LogFile, open: (() => Promise<LogFile>) | undefined, options: LogWriterOptions) {
    this.#target = target;
    this.#file = file;
    this.#open = open;
    this.#options = options;
    this.#highWater = options.highWater ?? 1024 * 1024;
    this.#maxWaiting = options.maxWaiting ?? 16 * 1024 * 1024;
    this.#watch = open && options.clock.every(RENAME_CHECK_MS, () => void this.checkRename());
  }

  /** Takes a batch of whole lines; bytes are kept, not copied. False: it waits or was dropped (and counted); wait for `onDrain`. */
  write(chunk: string | Buffer): boolean {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : chunk;
    if (this.#closed || this.#waitingBytes + bytes.length > this.#maxWaiting) {
      this.#drop(bytes, 0);
      this.#wantDrain = true;
      return false;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#writing ??= this.#writeAll();
    if (this.#waitingBytes < this.#highWater) return true;
    this.#wantDrain = true;
    return false;
  }

  /**
   * Opens the path anew and goes on there (SIGHUP after a rotation). When it cannot be opened the old file stays in use
   * and a notice says why. Nothing happens for standard output.
   */
  reopen(): Promise<void> {
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  /** Re-opens when the path no longer names the open file: somebody has rotated it. Asked for every two seconds. */
  async checkRename(): Promise<void> {
    if (this.#open && !this.#closed && (await this.#file.renamed())) await this.reopen();
  }

  /** Writes what waits and closes; what comes later is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.cancel();
    await this.#reopening;
    await this.#writing;
    await this.#file.close();
  }

  async #reopen(): Promise<void> {
    if (!this.#open) return;
    try {
      this.#next = await this.#open();
      if (this.#writing) await this.#writing;
      await this.#takeNext();
    } catch (error) {
      this.#tell('error', `log ${this.#target} cannot be re-opened, going on with the old file: ${reason(error)}`);
    }
  }

  async #takeNext(): Promise<void> {
    const next = this.#next;
    if (!next) return;
    const before = this.#file;
    this.#next = undefined;
    this.#file = next;
    this.#midLine = false;
    await before.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#takeNext().catch((error) => this.#tell('warn', `old log file did not close: ${reason(error)}`));
      const batch = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
      this.#waiting = [];
      await this.#writeBatch(batch);
      this.#waitingBytes -= batch.length;
    }
    this.#writing = undefined;
    if (this.#wantDrain && !this.#closed) {
      this.#wantDrain = false;
      this.#options.onDrain?.();
    }
  }

  async #writeBatch(batch: Buffer): Promise<void> {
    let at = 0;
    try {
      // After a torn line the next batch begins on a line of its own, so that one loss does not spoil two lines.
      if (this.#midLine) await this.#put(NEWLINE, 0);
      this.#midLine = false;
      while (at < batch.length) {
        at += await this.#put(batch, at);
        this.#midLine = batch[at - 1] !== LF;
      }
      if (this.#failing) {
        this.#failing = false;
        this.#noticedAt = Number.NEGATIVE_INFINITY;
        this.#tell('info', `log ${this.#target} can be written again; ${this.dropped} lines were lost since the start`);
      }
    } catch (error) {
      if (!this.#failing) this.#noticedAt = Number.NEGATIVE_INFINITY;
      this.#failing = true;
      this.#drop(batch, at);
      this.#tell('error', `log ${this.#target} cannot be written, lines are lost: ${reason(error)}`);
    }
  }

  /** One write of at least one byte; waits and tries again while a pipe is full. */
  async #put(bytes: Buffer, at: number): Promise<number> {
    for (;;) {
      try {
        const n = await this.#file.write(bytes, at, bytes.length - at);
        if (n > 0) return n;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      }
      await new Promise<void>((resolve) => this.#options.clock.after(RETRY_MS, resolve));
    }
  }

  #drop(bytes: Buffer, from: number): void {
    let lines = 0;
    for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) lines++;
    this.dropped += lines;
    this.#options.onDrop?.(lines);
  }

  #tell(level: NoticeEvent['level'], message: string): void {
    const now = this.#options.clock.now();
    if (now - this.#noticedAt < NOTICE_EVERY_MS) return;
    this.#noticedAt = now;
    this.#options.notice({ level, message });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The writer for a target as the configuration names it: `stdout`, or a file path. Rejects when the file cannot be
 * opened: at the start that is a mistake to report, not a fault to live with.
 */
export async function openLog(target: string, options: LogWriterOptions): Promise<LogWriter> {
  if (target === 'stdout') return new LogWriter('on standard output', descriptorFile(1), undefined, options);
  return new LogWriter(target, await openLogFile(target), () => openLogFile(target), options);
}
