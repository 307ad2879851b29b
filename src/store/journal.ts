/**
 * A worker's usage journal: entries of the ledger on their way to the store. Each worker appends to files of its own in the
 * folder `usage` of the data directory; the supervisor reads them, and takes a file away when all of it is in the store. What
 * has been written outlives the death of the worker, of the supervisor, and an outage of the store.
 */
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timer } from '../kernel/clock.ts';

/** Folder of journals in the data directory. */
export const JOURNAL_FOLDER = 'usage';
/** A file that is still written to, and one that is not any more. */
export const OPEN = '.jsonl';
/** See `OPEN`. */
export const DONE = '.done';

/** A file is ended at this size, so that what is in the store already does not fill the disk (bytes). */
const SEGMENT_BYTES = 4 * 1024 * 1024;
/** Most that waits in memory while nothing can be written (UTF-16 units); what comes then is lost, and counted. */
const WAITING_MAX = 8 * 1024 * 1024;
/** While nothing can be written, between two tries (milliseconds). */
const RETRY_MS = 500;

/** What a journal is made of. */
export interface JournalParts {
  /** Data directory. */
  folder: string;
  /** Whose it is: `OWNER-PID-RANDOM`. Unique for ever. */
  name: string;
  clock: Clock;
  /** Told when writing fails (with the reason), and when it goes again (''). */
  failed(reason: string): void;
  /** An entry was lost. */
  lost(): void;
  /** Writes to a file; `writeSync` of Node when left out. */
  write?: (fd: number, bytes: Buffer, offset: number) => number;
}

/** See the file's head. */
export class Journal {
  readonly #parts: JournalParts;
  readonly #write: NonNullable<JournalParts['write']>;
  #fd = -1;
  #path = '';
  #segments = 0;
  #size = 0;
  #text = '';
  /** Bytes of which a part has been written. */
  #rest: Buffer | undefined;
  #timer: Timer | undefined;
  /** Milliseconds that entries may wait; 0: none. */
  flushMs = 5;
  /** Why nothing can be written; '' while it can. */
  trouble = '';

  constructor(parts: JournalParts) {
    this.#parts = parts;
    this.#write = parts.write ?? ((fd, bytes, offset) => writeSync(fd, bytes, offset));
  }

  /** Takes a line. */
  add(line: string): void {
    if (this.trouble !== '' && this.#text.length >= WAITING_MAX) {
      this.#parts.lost();
      return;
    }
    this.#text += line;
    if (this.flushMs === 0 && this.trouble === '') this.flush();
    else this.#timer ??= this.#parts.clock.after(this.trouble === '' ? this.flushMs : RETRY_MS, () => this.flush());
  }

  /** Writes what waits. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    try {
      while (this.#rest !== undefined || this.#text !== '') {
        if (this.#fd < 0) this.#open();
        if (this.#rest === undefined) {
          this.#rest = Buffer.from(this.#text, 'utf8');
          this.#text = '';
        }
        const written = this.#write(this.#fd, this.#rest, 0);
        this.#size += written;
        this.#rest = written < this.#rest.length ? this.#rest.subarray(written) : undefined;
      }
      this.#told('');
    } catch (error) {
      this.#told((error as Error).message);
      this.#timer = this.#parts.clock.after(RETRY_MS, () => this.flush());
    }
    if (this.#size >= SEGMENT_BYTES && this.#rest === undefined) this.#end();
  }

  /** Writes what waits and ends the file. */
  close(): void {
    this.flush();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#end();
  }

  #told(trouble: string): void {
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    this.#parts.failed(trouble);
  }

  #open(): void {
    const folder = join(this.#parts.folder, JOURNAL_FOLDER);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#path = join(folder, `${this.#parts.name}-${++this.#segments}`);
    this.#fd = openSync(this.#path + OPEN, 'ax', 0o600);
    this.#size = 0;
  }

  #end(): void {
    if (this.#fd < 0 || this.#rest !== undefined) return;
    closeSync(this.#fd);
    this.#fd = -1;
    this.#size = 0;
    try {
      renameSync(this.#path + OPEN, this.#path + DONE);
    } catch {
      // The reader takes it as it is once this process has ended.
    }
  }
}
