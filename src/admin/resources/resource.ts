/** What the API keeps in the store, as a table of kinds: how each is made, changed, shown and found. */
import type { ZodType } from 'zod';
import type { Document, Store, Write } from '../../store/store.ts';
import type { Caller, Role } from '../access/caller.ts';
import type { Answer } from '../answer.ts';
import type { AdminNames } from '../handle.ts';

/** What surrounds a change. */
export interface Surroundings {
  readonly store: Store;
  readonly caller: Caller;
  /** Wall clock, milliseconds since 1970. */
  readonly now: number;
  /** Pepper for new keys; '' when none is set. */
  readonly pepper: string;
  /** Names of the configuration in force; undefined where there is none to ask. */
  readonly names: AdminNames | undefined;
}

/** A document that is to be written. */
export interface Wanted {
  readonly id: string;
  readonly value: unknown;
  /** Told in this answer, and never again. */
  readonly once?: Readonly<Record<string, unknown>>;
  /** What is written in the same transaction. */
  readonly also?: readonly Write[];
}

/** One kind of documents. `T` is the value as the store has it. */
export interface Resource<T = unknown> {
  /** In paths: `keys`. */
  readonly name: string;
  /** In sentences: `key`. */
  readonly one: string;
  /** In the store. */
  readonly kind: string;
  /** Role that may look, and that may change. */
  readonly reads: Role;
  readonly writes: Role;
  /** Callers of one tenant may manage those of their tenant. */
  readonly tenants: boolean;
  /** What a client sends to make one, without the id. */
  readonly order: ZodType;
  /** What a client sends to change one; as `order` when left out. */
  readonly change?: ZodType;
  /** Fields of what is shown that no client sets; sent back as they are they do no harm. */
  readonly fixed: readonly string[];
  /** What is shown, for the OpenAPI document. */
  readonly answer: ZodType;
  /** Fields that are shown once, when one is made. */
  readonly onceShown?: ZodType;
  /** An id may be given; or has to be, because it is a name. */
  readonly ids: 'chosen' | 'optional';
  /** Making what is there already replaces it. */
  readonly replaces?: boolean;
  /** Kept as it was sent, once it has been found right: sizes, durations and limits stay as people have written them. */
  readonly asSent?: boolean;
  /** Puts back what is not shown into a document that was read, changed and sent. */
  restored?(sent: Record<string, unknown>, before: T): Record<string, unknown>;

  /** What people may see: no secrets. */
  shown(value: T): Record<string, unknown>;
  /** Further facts that only the answer about a single one has. */
  more?(store: Store, document: Document<T>): Promise<Record<string, unknown>>;
  /** A parsed order → what is written. An `Answer`: why not. */
  make(id: string | undefined, order: never, around: Surroundings): Wanted | Answer | Promise<Wanted | Answer>;
  /** A parsed change → the new value. */
  changed(document: Document<T>, change: never, around: Surroundings): Wanted | Answer | Promise<Wanted | Answer>;
  /** What is written when one is deleted. */
  gone?(document: Document<T>, around: Surroundings): Promise<readonly Write[] | Answer>;
  parentOf?(value: T): string;
  lookupsOf?(value: T): readonly string[];
  expiresAt?(value: T): number | undefined;
  /** Further things that can be done with one: `POST /api/v1/NAME/{id}/ACTION`. */
  readonly actions?: readonly Action<T>[];
}

/** See `Resource.actions`. */
export interface Action<T = unknown> {
  readonly name: string;
  readonly what: string;
  readonly order: ZodType;
  /** Works without `If-Match`: there is only one thing it can come to. */
  readonly unconditional?: boolean;
  readonly status?: number;
  readonly answer: ZodType;
  run(document: Document<T>, order: never, around: Surroundings): Promise<Acted | Answer>;
}

/** What an action writes: its own document first. */
export interface Acted {
  readonly wanted: readonly Wanted[];
  readonly also?: readonly Write[];
  /** Of the documents written, the one that is answered. */
  readonly answered: number;
}
