/**
 * The supervisor's copy of what the store says about who may do what: keys, tenants, plans and the like, each kind a topic.
 * It is read whole at the start, then change by change, and told to every worker; when the store is gone, the copy stays.
 */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { DirectoryLog } from './directorylog.ts';
import type { Services } from './services.ts';

/** What is read of a document. */
export interface DirectoryDocument {
  readonly kind: string;
  readonly id: string;
  readonly value: unknown;
  /** Wall clock of who wrote it, milliseconds since 1970. */
  readonly updatedAt?: number;
}

/** Told how the reading goes. */
export interface DirectoryHealth {
  /** The store has answered. */
  answered(): void;
  /** It has not. */
  failed(): void;
  /** Workers have been told of a change that was written then, in milliseconds since 1970. */
  changed(writtenAt: number): void;
}

/** What is read of the store (store/store.ts). */
export interface DirectorySource {
  scan(kind: string): AsyncIterable<readonly DirectoryDocument[]>;
  revision(): Promise<number>;
  changesSince(revision: number): Promise<{
    readonly changes: readonly { kind: string; id: string; document: DirectoryDocument | undefined }[];
    readonly revision: number;
    readonly more: boolean;
    readonly reset: boolean;
  }>;
  watch(changed: () => void): () => void;
}

/** One kind of documents that workers want to know. */
export interface DirectoryKind {
  readonly kind: string;
  /**
   * What workers get of a document, as plain JSON: what they need and no more. Undefined: they are not to know it. Throws when
   * the document is no good; that is told to the operator, and workers do as if it were not there.
   */
  pack(id: string, value: unknown): unknown;
  /** Told of a document that was deleted. */
  gone?(id: string): void;
}

/** What a `Directory` is made of. */
export interface DirectoryParts {
  source: DirectorySource;
  kinds: readonly DirectoryKind[];
  services: Services;
  clock: Clock;
  notice(notice: NoticeEvent): void;
  /** Told whenever what every worker knows is as the store has it. */
  synced?(): void;
  health?: DirectoryHealth;
}

/** After a failure, in milliseconds: first, and at most. */
const RETRY_MS = 250;
const RETRY_MOST_MS = 10_000;
/** Between two looks at a store that has said nothing: what a lost wake-up may cost. */
const LOOK_MS = 15_000;
/** How long workers may take to take a change. */
const TAKEN_MS = 5000;

/** Name of a kind's topic. */
export const topicOf = (kind: string): string => `directory/${kind}`;

/** See the file's head. */
export class Directory {
  readonly #parts: DirectoryParts;
  readonly #logs: ReadonlyMap<string, DirectoryLog>;
  /** Kinds of which something was told that not every worker is known to have taken. */
  readonly #untaken = new Set<string>();
  #asking = 0;
  #revision = 0;
  #wanted = false;
  #busy = false;
  #failures = 0;
  #retry: Timer | undefined;
  #stop: () => void = () => {};
  #closed = false;

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
    this.#logs = new Map(parts.kinds.map((one) => [one.kind, new DirectoryLog()]));
    for (const [kind, log] of this.#logs) parts.services.publish(topicOf(kind), () => log.pages());
  }

  /** Reads everything, and follows from then on. Rejects when the store cannot be read; call it before workers start. */
  async start(): Promise<void> {
    const { source, clock } = this.#parts;
    await this.#load(true);
    const stopWatching = source.watch(() => this.#look());
    const looking = clock.every(LOOK_MS, () => this.#look());
    this.#stop = () => {
      stopWatching();
      looking.cancel();
    };
    this.#look();
  }

  /** Documents of a kind. */
  size(kind: string): number {
    return this.#logs.get(kind)?.size ?? 0;
  }

  /** Follows no more. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#stop();
  }

  #look(): void {
    this.#wanted = true;
    if (this.#busy || this.#closed || this.#retry !== undefined) return;
    this.#busy = true;
    void this.#follow().then(
      () => {
        this.#busy = false;
        this.#parts.health?.answered();
        if (this.#failures > 0) this.#notice('info', 'the store answers again; the directory is up to date');
        this.#failures = 0;
        if (this.#wanted) this.#look();
      },
      (error: Error) => {
        this.#busy = false;
        if (this.#closed) return;
        this.#parts.health?.failed();
        const wait = Math.min(RETRY_MOST_MS, RETRY_MS * 2 ** this.#failures);
        if (this.#failures++ === 0) {
          const what =
            'the store does not answer, so changes of keys and the like are not seen; what is known holds on';
          this.#notice('error', `${what}: ${error.message}`);
        }
        this.#retry = this.#parts.clock.after(wait, () => {
          this.#retry = undefined;
          this.#look();
        });
      },
    );
  }

  async #follow(): Promise<void> {
    const { source } = this.#parts;
    while (this.#wanted) {
      this.#wanted = false;
      for (;;) {
        const { changes, revision, more, reset } = await source.changesSince(this.#revision);
        if (this.#closed) return;
        if (reset) {
          await this.#load(true);
          break;
        }
        this.#apply(changes);
        this.#revision = revision;
        if (!more) break;
      }
      if ([...this.#logs.values()].some((log) => log.wasteful)) await this.#load(false);
    }
    this.#confirm();
  }

  #apply(changes: readonly { kind: string; id: string; document: DirectoryDocument | undefined }[]): void {
    const pages = new Map<string, string>();
    for (const { kind, id, document } of changes) {
      const log = this.#logs.get(kind);
      if (log === undefined) continue;
      if (document === undefined) this.#parts.kinds.find((one) => one.kind === kind)?.gone?.(id);
      const line = log.append(id, document && this.#pack(document));
      pages.set(kind, (pages.get(kind) ?? '') + line);
    }
    for (const [kind, page] of pages) {
      this.#parts.services.push(topicOf(kind), page);
      this.#untaken.add(kind);
    }
    for (const { kind, document } of changes) {
      if (document?.updatedAt !== undefined && this.#logs.has(kind)) this.#parts.health?.changed(document.updatedAt);
    }
  }

  /** Reads every kind anew. `tell`: workers that run get all of it, for what they know may be wrong. */
  async #load(tell: boolean): Promise<void> {
    const { source, kinds, services } = this.#parts;
    const revision = await source.revision();
    const loaded = new Map<string, DirectoryLog>();
    for (const { kind } of kinds) {
      const log = new DirectoryLog();
      for await (const documents of source.scan(kind)) {
        for (const document of documents) log.append(document.id, this.#pack(document));
      }
      loaded.set(kind, log);
    }
    // What changed meanwhile comes by the next look, which begins at the revision before.
    this.#revision = revision;
    for (const [kind, log] of loaded) {
      this.#logs.get(kind)?.become(log);
      if (!tell) continue;
      services.reload(topicOf(kind));
      this.#untaken.add(kind);
    }
    this.#confirm();
  }

  /** A worker that does not take what it is told, a revocation say, makes the copy stale: `synced` is not told then. */
  #confirm(): void {
    const kinds = [...this.#untaken];
    this.#untaken.clear();
    for (const kind of kinds) {
      this.#asking++;
      void this.#parts.services.confirm(topicOf(kind), TAKEN_MS).then((missing) => {
        this.#asking--;
        if (missing > 0) this.#untaken.add(kind);
        if (!this.#closed) this.#taken();
      });
    }
    this.#taken();
  }

  #taken(): void {
    if (this.#asking === 0 && this.#untaken.size === 0) this.#parts.synced?.();
  }

  #pack({ kind, id, value }: DirectoryDocument): unknown {
    const packer = this.#parts.kinds.find((one) => one.kind === kind);
    try {
      return packer?.pack(id, value);
    } catch (error) {
      this.#notice(
        'error',
        `the ${kind} ${id} in the store is no good and counts as absent: ${(error as Error).message}`,
      );
      return undefined;
    }
  }

  #notice(level: NoticeEvent['level'], message: string): void {
    this.#parts.notice({ level, message });
  }
}
