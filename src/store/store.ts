/**
 * The store: JSON documents with versions, a feed of their changes, a history of who changed what, and a ledger. Rooms
 * decide what the documents are. Nothing here is on the way of a request: workers answer from memory.
 */
import type { Ledger } from './ledger.ts';

/** A document as it stands. */
export interface Document<T = unknown> {
  readonly kind: string;
  readonly id: string;
  /**
   * Revision of the write that made it so: grows with each write, is never used twice, and is what `If-Match` holds.
   * Opaque otherwise: the next version of a document is not this one plus 1.
   */
  readonly version: number;
  /** Wall clock of the node that wrote it, milliseconds since 1970. */
  readonly updatedAt: number;
  /** Id of what it belongs to, such as a tenant; '' for nothing. */
  readonly parent: string;
  /** Other names it is found by, each unique within its kind. */
  readonly lookups: readonly string[];
  /** When it stops to exist, milliseconds since 1970; undefined: never. */
  readonly expiresAt: number | undefined;
  readonly value: T;
}

/** Puts a document, whole. */
export interface Put {
  readonly op: 'put';
  readonly kind: string;
  readonly id: string;
  /** Anything that JSON holds, at most `VALUE_BYTES_MAX`. */
  readonly value: unknown;
  /** Version it must have now; 0: it must not exist. Undefined: whatever it is. */
  readonly expect?: number | undefined;
  readonly parent?: string | undefined;
  readonly lookups?: readonly string[] | undefined;
  readonly expiresAt?: number | undefined;
}

/** Deletes a document. Deleting what is not there is fine unless `expect` says otherwise. */
export interface Delete {
  readonly op: 'delete';
  readonly kind: string;
  readonly id: string;
  readonly expect?: number | undefined;
}

/** Changes nothing, but the other writes happen only if this document has this version (0: does not exist). */
export interface Check {
  readonly op: 'check';
  readonly kind: string;
  readonly id: string;
  readonly expect: number;
}

/** One step of a transaction. A document may appear in one step only. */
export type Write = Put | Delete | Check;

/** Who asked for a change; it goes into the history in the same transaction. */
export interface Author {
  /** Name of the caller, such as `admin:alice` or `cli:root`. */
  readonly who: string;
  /** What it did in the words of the API, such as `keys.revoke`. */
  readonly what: string;
}

/** Why nothing was written. */
export interface Conflict {
  /** `version`: someone else was faster, or it is (not) there; `lookup`: another document has this name. */
  readonly reason: 'version' | 'lookup';
  readonly kind: string;
  readonly id: string;
  /** Version found; 0 when it does not exist. */
  readonly version: number;
  /** The name that is taken, and by whom; '' unless `reason` is `lookup`. */
  readonly lookup: string;
  readonly holder: string;
}

/** All written, or nothing. */
export type WriteResult =
  | { readonly ok: true /** Version of every document written. */; readonly version: number }
  | { readonly ok: false; readonly conflict: Conflict };

/** Which part of a list. */
export interface Page {
  /** Only what belongs to this. */
  readonly parent?: string | undefined;
  /** Only ids after this one, in the order of their UTF-8 bytes. */
  readonly after?: string | undefined;
  /** At most this many, 100 by default. */
  readonly limit?: number | undefined;
}

/** A part of a list. */
export interface Listed<T = unknown> {
  readonly documents: readonly Document<T>[];
  /** `after` of the next part; undefined at the end. */
  readonly next: string | undefined;
}

/** A document changed. Only its newest state is told: what changed twice between two looks appears once. */
export interface Change<T = unknown> {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  /** Undefined: it was deleted. One whose `expiresAt` has passed is still told until it is swept. */
  readonly document: Document<T> | undefined;
}

/** A piece of the change feed. */
export interface Changes {
  /** In the order of versions; writes of one transaction are never torn apart. */
  readonly changes: readonly Change[];
  /** Where to go on: the `revision` for the next call. */
  readonly revision: number;
  /** There is more at once. */
  readonly more: boolean;
  /** Deletions before `revision` are forgotten, or the store was put back from a copy: load everything anew. */
  readonly reset: boolean;
}

/** An entry of the history: one document changed by an author. */
export interface HistoryEntry {
  /** Place in the history; grows. */
  readonly sequence: number;
  readonly version: number;
  /** Wall clock, milliseconds since 1970. */
  readonly at: number;
  readonly who: string;
  readonly what: string;
  readonly kind: string;
  readonly id: string;
  /** Values before and after, with secrets taken out by `StoreOptions.shown`; undefined: it did not exist. */
  readonly before: unknown;
  readonly after: unknown;
}

/** Which part of the history, newest first. */
export interface HistoryPage {
  readonly kind?: string | undefined;
  readonly id?: string | undefined;
  readonly who?: string | undefined;
  /** Wall clock, milliseconds since 1970: not older than `since`, older than `until`. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Only entries before this `sequence`: the last one of the page before. */
  readonly before?: number | undefined;
  /** At most this many, 100 by default. */
  readonly limit?: number | undefined;
}

/** What `sweep` may forget, as wall clock in milliseconds since 1970: what is older goes. Undefined: nothing. */
export interface Ages {
  readonly tombstonesBefore?: number | undefined;
  readonly historyBefore?: number | undefined;
  /** Single entries of the ledger; its sums by day stay. */
  readonly ledgerBefore?: number | undefined;
}

/** What `sweep` did. */
export interface Swept {
  readonly expired: number;
  readonly tombstones: number;
  readonly history: number;
  readonly ledger: number;
}

/**
 * An open store. Every call rejects with a `StoreError` when the store cannot do it; a failed write has left nothing
 * behind. An expired document reads as absent everywhere but in the change feed.
 */
export interface Store {
  readonly driver: 'sqlite' | 'postgres';
  /** File, or server and database, for messages; never a password. */
  readonly place: string;

  get<T = unknown>(kind: string, id: string): Promise<Document<T> | undefined>;
  /** The document of this kind that has `lookup` among its `lookups`. */
  find<T = unknown>(kind: string, lookup: string): Promise<Document<T> | undefined>;
  /** Documents of a kind by id. */
  list<T = unknown>(kind: string, page?: Page): Promise<Listed<T>>;
  /**
   * All documents of a kind by id, in big pages, for loading a million. Other writes go on meanwhile: ask for `revision()`
   * first, and read `changesSince` it afterwards.
   */
  scan<T = unknown>(kind: string, pageSize?: number): AsyncIterable<readonly Document<T>[]>;

  /** All or nothing. Without an author it is bookkeeping (a last use, an account of ours), and no history is written. */
  write(writes: readonly Write[], author?: Author): Promise<WriteResult>;

  /** Version of the newest write; 0 when there was none. */
  revision(): Promise<number>;
  /** What changed after `revision`, about `limit` documents (1000 by default) and never part of a transaction. */
  changesSince(revision: number, limit?: number): Promise<Changes>;
  /**
   * Calls back when something was written, here or by another node (within a second), with the newest revision known.
   * A wake-up, not a message: several writes may make one call, and a call may find nothing new. Returns how to stop it.
   */
  watch(changed: (revision: number) => void): () => void;

  /** Who changed what, newest first. */
  history(page?: HistoryPage): Promise<readonly HistoryEntry[]>;
  /** Usage, append-only. */
  readonly ledger: Ledger;

  /** Turns what has expired into deletions (which the feed tells) and forgets what is too old. To be called now and then. */
  sweep(ages?: Ages): Promise<Swept>;
  /** Writes a copy of everything to a file that must not exist, while work goes on. SQLite only: a server has its own tools. */
  copyTo(path: string): Promise<void>;
  /** Lets go of file or connections. Calling it again does nothing. */
  close(): Promise<void>;
}

/** Largest JSON text of one document. */
export const VALUE_BYTES_MAX = 1_048_576;
/** Most steps of one transaction. */
export const WRITES_MAX = 10_000;
