/**
 * A worker's usage journal: entries of the ledger on their way to the store. Each worker appends to files of its own in the
 * folder `usage` of the data directory; the supervisor reads them, and takes a file away when all of it is in the store. What
 * has been written outlives the death of the worker, of the supervisor, and an outage of the store. And it is written before
 * the end of an answer leaves: no client has got what the ledger does not know (decision 014).
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
/** Written after so long, where nothing is sent (milliseconds). */
const IDLE_MS = 5;
/** While nothing can be written, between two tries (milliseconds). */
const RETRY_MS = 500;

/** Whose a journal is. */
export interface Writer {
  /** Name of the supervisor's start. */
  readonly owner: string;
  readonly pid: number;
  /** When the process began, as the kernel has it; '' where nobody knows. Another one of its number has another. */
  readonly born: string;
}

/** Name of a journal. `random`: without `-` and `.`. */
export const journalName = ({ owner, pid, born }: Writer, random: string): string =>
  `${owner}-${pid}-${born}.${random}`;

/** One file of a journal. */
export interface JournalFile extends Writer {
  /** Name of the journal. */
  readonly journal: string;
  /** Number of the file in it, from 1. */
  readonly segment: number;
  readonly done: boolean;
}

/** A file's name → what it is; undefined where it is none of ours. */
export function parseJournalFile(file: string): JournalFile | undefined {
  const found = /^((.*)-(\d+)-(?:(\d*)\.)?[^-.]*)-(\d+)(\.jsonl|\.done)$/.exec(file);
  if (found === null) return undefined;
  const [, journal = '', owner = '', pid, born = '', segment, end] = found;
  return { journal, owner, pid: Number(pid), born, segment: Number(segment), done: end === DONE };
}

/** What a journal is made of. */
export interface JournalParts {
  /** Data directory. */
  folder: string;
  /** Whose it is: `OWNER-PID-BORN.RANDOM`, see `journalName`. Unique for ever. */
  name: string;
  clock: Clock;
  /** Told when writing fails (with the reason), and when it goes again (''). */
  failed(reason: string): void;
  /** An entry was lost. */
  lost(): void;
  /** Has something done once, before anything more leaves on any wire. */
  before(todo: () => void): void;
  /** A file is ended at this size; 4 MiB when left out. */
  segmentBytes?: number;
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
  readonly #late = () => {
    this.#timer = undefined;
    this.flush();
  };
  #owing = false;
  readonly #pay = () => {
    this.#owing = false;
    if (this.#text !== '' && this.trouble === '') this.flush();
  };
  /** Why nothing can be written; '' while it can. */
  trouble = '';

  constructor(parts: JournalParts) {
    this.#parts = parts;
    this.#write = parts.write ?? ((fd, bytes, offset) => writeSync(fd, bytes, offset));
  }

  /** Takes a line; it is written before any client can learn of what it tells. */
  add(line: string): void {
    if (this.trouble !== '' && this.#text.length >= WAITING_MAX) {
      this.#parts.lost();
      return;
    }
    this.#text += line;
    if (this.trouble === '' && !this.#owing) {
      this.#owing = true;
      this.#parts.before(this.#pay);
    }
    // Where nothing is sent, such as to a client that has left. One timer for all that comes meanwhile.
    this.#timer ??= this.#parts.clock.after(this.trouble === '' ? IDLE_MS : RETRY_MS, this.#late);
  }

  /** Writes what waits. */
  flush(): void {
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
      this.#timer?.cancel();
      this.#timer = this.#parts.clock.after(RETRY_MS, this.#late);
    }
    if (this.#size >= (this.#parts.segmentBytes ?? SEGMENT_BYTES) && this.#rest === undefined) this.#end();
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
