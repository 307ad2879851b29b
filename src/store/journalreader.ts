/** Reads the journals of workers, living and dead, into the ledger: each entry once, whatever dies between. */
import { open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../kernel/clock.ts';
import { StoreError } from './error.ts';
import { JOURNAL_FOLDER, type JournalFile, parseJournalFile, type Writer } from './journal.ts';
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
  /** Whether a process lives that began then; see `Writer`. */
  alive(pid: number, born: string): boolean;
  /** Entries are in the ledger; `fresh` of them were not there before. */
  took(entries: readonly LedgerEntry[], writer: Writer, fresh: number): void;
  /** Of these nobody knows what they have used: their worker has died. They are in the ledger with what was reserved. */
  inDoubt(entries: readonly LedgerEntry[], writer: Writer): void;
  /** What operators should read: a store that takes nothing, lines that are none. */
  trouble(message: string): void;
  /** The store takes entries again. */
  well(): void;
}

/** A file, and where it is. */
interface Found extends JournalFile {
  readonly path: string;
}

/** What is known of one journal. */
interface Known extends Writer {
  /** Segment → bytes that are in the ledger. After a restart all is read again: the ledger knows what it has. */
  readonly read: Map<number, number>;
  /** Requests that were under way when last heard of, and the segment that says so. */
  readonly open: Map<string, { readonly entry: LedgerEntry; readonly segment: number }>;
}

/** See the file's head. */
export class JournalReader {
  readonly #parts: ReaderParts;
  readonly #journals = new Map<string, Known>();
  #timer: Timer | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #failures = 0;
  #closed = false;
  /** Lines that were no entries. */
  broken = 0;
  /** When (monotonic) all that was there was last found to be in the store. */
  caughtUpAt: number;
  /** All that had been written down by then (monotonic) is in the store. */
  writtenAt = Number.NEGATIVE_INFINITY;
  /** It has read for the last time, and all of it is in the store. */
  ended = false;
  #caughtUp = false;

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
    this.ended = await this.look();
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
    const begunAt = this.#parts.clock.now();
    try {
      // Asked before the folder is read: what they wrote before their death is there then.
      const dead = new Set<string>();
      for (const [journal, [one]] of await filesOf(folder))
        if (one !== undefined && !this.#parts.alive(one.pid, one.born)) dead.add(journal);
      const journals = await filesOf(folder);
      for (const [journal, files] of journals) await this.#journal(ledger, journal, files, dead.has(journal));
      for (const journal of this.#journals.keys()) if (!journals.has(journal)) this.#journals.delete(journal);
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
    this.writtenAt = begunAt;
    this.#caughtUp = true;
    return true;
  }

  async #journal(ledger: Ledger, journal: string, files: readonly Found[], dead: boolean): Promise<void> {
    let known = this.#journals.get(journal);
    if (known === undefined) {
      const { owner, pid, born } = files[0] as Found;
      known = { owner, pid, born, read: new Map(), open: new Map() };
      this.#journals.set(journal, known);
    }
    for (const file of files) await this.#file(ledger, known, file);
    if (dead) {
      // Nobody will ever say what became of them.
      const lost = [...known.open.values()].map(({ entry }) => entry);
      for (let i = 0; i < lost.length; i += BATCH) await this.#append(ledger, lost.slice(i, i + BATCH), known);
      known.open.clear();
      if (lost.length > 0) this.#parts.inDoubt(lost, known);
    }
    const needed = new Set([...known.open.values()].map(({ segment }) => segment));
    let left = 0;
    for (const { path, segment, done } of files) {
      if ((dead || done) && !needed.has(segment)) {
        await unlink(path).catch(() => {});
        known.read.delete(segment);
      } else left++;
    }
    if (dead && left === 0) this.#journals.delete(journal);
  }

  async #file(ledger: Ledger, known: Known, { path, segment }: Found): Promise<void> {
    const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      // It was ended between two looks, and has another name now.
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (handle === undefined) return;
    try {
      const buffer = Buffer.allocUnsafe(PIECE);
      for (;;) {
        const at = known.read.get(segment) ?? 0;
        const { bytesRead } = await handle.read(buffer, 0, PIECE, at);
        const end = buffer.lastIndexOf(LINE_FEED, bytesRead - 1) + 1;
        if (bytesRead === 0 || end === 0) break;
        await this.#take(ledger, buffer.toString('utf8', 0, end), known, segment);
        known.read.set(segment, at + end);
      }
    } finally {
      await handle.close();
    }
  }

  async #take(ledger: Ledger, text: string, known: Known, segment: number): Promise<void> {
    const entries: LedgerEntry[] = [];
    const begun: LedgerEntry[] = [];
    const over: string[] = [];
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const said = parseUsage(line);
      if (said === undefined) this.#broken(line);
      else if (said.entry === undefined) over.push(said.dropped);
      else if (said.open) begun.push(said.entry);
      else entries.push(said.entry);
    }
    for (let i = 0; i < entries.length; i += BATCH) await this.#append(ledger, entries.slice(i, i + BATCH), known);
    // A request begins before it ends, and all of this is read again where the store has not taken it.
    for (const entry of begun) known.open.set(entry.id, { entry, segment });
    for (const { id } of entries) known.open.delete(id);
    for (const id of over) known.open.delete(id);
  }

  /** Requests that are under way, by workers of others than `owner`. */
  *openBeside(owner: string): Iterable<LedgerEntry> {
    for (const known of this.#journals.values())
      if (known.owner !== owner) for (const { entry } of known.open.values()) yield entry;
  }

  /** Whether workers of others than `owner` may be alive, or have left what is not in the store yet. */
  beside(owner: string): boolean {
    return !this.#caughtUp || [...this.#journals.values()].some((known) => known.owner !== owner);
  }

  /** One entry that the store does not take keeps no other from it. */
  async #append(ledger: Ledger, entries: readonly LedgerEntry[], known: Known): Promise<void> {
    try {
      this.#parts.took(entries, known, await ledger.append(entries));
    } catch (error) {
      if (!(error instanceof StoreError) || error.fault !== 'invalid') throw error;
      if (entries.length === 1) return this.#broken(JSON.stringify(entries[0]));
      const half = entries.length >> 1;
      await this.#append(ledger, entries.slice(0, half), known);
      await this.#append(ledger, entries.slice(half), known);
    }
  }

  #broken(line: string): void {
    this.broken++;
    this.#parts.trouble(`a line of a usage journal is no entry, and was left out: ${line.slice(0, 200)}`);
  }
}

/** The journals of a folder, each with its files in the order in which they were written. */
async function filesOf(folder: string): Promise<Map<string, Found[]>> {
  const journals = new Map<string, Found[]>();
  for (const file of await readdir(folder)) {
    const found = parseJournalFile(file);
    if (found === undefined) continue;
    const files = journals.get(found.journal) ?? [];
    files.push({ ...found, path: join(folder, file) });
    journals.set(found.journal, files);
  }
  for (const files of journals.values()) files.sort((a, b) => a.segment - b.segment);
  return journals;
}
