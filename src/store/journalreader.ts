/** Reads the journals of workers, living and dead, into the ledger: each entry once, whatever dies between. */
import { open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../kernel/clock.ts';
import { StoreError } from './error.ts';
import { DONE, JOURNAL_FOLDER, OPEN } from './journal.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import { parseUsage } from './usageline.ts';

/** Between two looks (milliseconds). */
const LOOK_MS = 250;
/** While the store takes nothing, at most (milliseconds). */
const LOOK_MOST_MS = 10_000;
/** Bytes read at once. */
const PIECE = 512 * 1024;
/** Entries in one transaction. */
const BATCH = 1000;
const LINE_FEED = 10;

/** What a reader is made of. */
export interface ReaderParts {
  /** Data directory. */
  folder: string;
  clock: Clock;
  /** Undefined: there is none yet. */
  ledger(): Ledger | undefined;
  /** Whether a process lives. */
  alive(pid: number): boolean;
  /** Entries are in the ledger; `fresh` of them were not there before. `owner`: the first part of the journal's name. */
  took(entries: readonly LedgerEntry[], owner: string, fresh: number): void;
  /** What operators should read: a store that takes nothing, lines that are none. */
  trouble(message: string): void;
  /** The store takes entries again. */
  well(): void;
}

/** See the file's head. */
export class JournalReader {
  readonly #parts: ReaderParts;
  /** File → bytes that are in the ledger. After a restart all is read again: the ledger knows what it has. */
  readonly #read = new Map<string, number>();
  #timer: Timer | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #failures = 0;
  #closed = false;
  /** Lines that were no entries. */
  broken = 0;
  /** When (monotonic) all that was there was last found to be in the store. */
  caughtUpAt: number;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.caughtUpAt = parts.clock.now();
  }

  /** Looks now and then from here on. */
  start(): void {
    this.#timer ??= this.#parts.clock.after(LOOK_MS, () => void this.look().finally(() => this.#again()));
  }

  /** Reads what there is, after what is under way; never rejects. Resolves with whether all of it is in the store. */
  look(): Promise<boolean> {
    return this.inTurn(() => this.#look());
  }

  /** Does something while nothing is read. */
  inTurn<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(body);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Reads what there is a last time. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.look();
  }

  #again(): void {
    this.#timer = undefined;
    if (this.#closed) return;
    const wait = Math.min(LOOK_MOST_MS, LOOK_MS * 2 ** Math.min(this.#failures, 8));
    this.#timer = this.#parts.clock.after(wait, () => void this.look().finally(() => this.#again()));
  }

  async #look(): Promise<boolean> {
    const ledger = this.#parts.ledger();
    if (ledger === undefined) return false;
    const folder = join(this.#parts.folder, JOURNAL_FOLDER);
    try {
      const files = (await readdir(folder)).filter((file) => file.endsWith(OPEN) || file.endsWith(DONE));
      for (const file of files) await this.#file(ledger, folder, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        const first = this.#failures++ === 0;
        if (first)
          this.#parts.trouble(
            `usage cannot be taken into the ledger: ${(error as Error).message}; it waits in ${folder}`,
          );
        return false;
      }
    }
    if (this.#failures > 0) this.#parts.well();
    this.#failures = 0;
    this.caughtUpAt = this.#parts.clock.now();
    return true;
  }

  async #file(ledger: Ledger, folder: string, file: string): Promise<void> {
    const stem = file.slice(0, file.lastIndexOf('.'));
    const { owner = '', pid = '0' } = /^(?<owner>.*)-(?<pid>\d+)-[^-]*-\d+$/.exec(stem)?.groups ?? {};
    // Asked first: what it writes before its death is there when it is dead.
    const ended = file.endsWith(DONE) || !this.#parts.alive(Number(pid));
    const path = join(folder, file);
    const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      // It was ended between two looks, and has another name now.
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (handle === undefined) return;
    try {
      const buffer = Buffer.allocUnsafe(PIECE);
      for (;;) {
        const at = this.#read.get(stem) ?? 0;
        const { bytesRead } = await handle.read(buffer, 0, PIECE, at);
        const end = buffer.lastIndexOf(LINE_FEED, bytesRead - 1) + 1;
        if (bytesRead === 0 || end === 0) break;
        await this.#take(ledger, buffer.toString('utf8', 0, end), owner);
        this.#read.set(stem, at + end);
      }
    } finally {
      await handle.close();
    }
    if (!ended) return;
    await unlink(path).catch(() => {});
    this.#read.delete(stem);
  }

  async #take(ledger: Ledger, text: string, owner: string): Promise<void> {
    const entries: LedgerEntry[] = [];
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const entry = parseUsage(line);
      if (entry === undefined) this.#broken(line);
      else entries.push(entry);
    }
    for (let i = 0; i < entries.length; i += BATCH) await this.#append(ledger, entries.slice(i, i + BATCH), owner);
  }

  /** One entry that the store does not take keeps no other from it. */
  async #append(ledger: Ledger, entries: readonly LedgerEntry[], owner: string): Promise<void> {
    try {
      this.#parts.took(entries, owner, await ledger.append(entries));
    } catch (error) {
      if (!(error instanceof StoreError) || error.fault !== 'invalid') throw error;
      if (entries.length === 1) return this.#broken(JSON.stringify(entries[0]));
      const half = entries.length >> 1;
      await this.#append(ledger, entries.slice(0, half), owner);
      await this.#append(ledger, entries.slice(half), owner);
    }
  }

  #broken(line: string): void {
    this.broken++;
    this.#parts.trouble(`a line of a usage journal is no entry, and was left out: ${line.slice(0, 200)}`);
  }
}
