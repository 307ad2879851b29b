/** Goes over to a changed configuration, one after the other, or tells what that would change. */
import type { Outcome } from '../admin/admin.ts';
import { type Config, formatProblem, type Loaded, type NotLoaded } from '../config/config.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { changesTo } from './changes.ts';

/** What a reload needs. */
export interface ReloadParts {
  /** Loads the configuration anew. */
  load: () => Loaded | NotLoaded | Promise<Loaded | NotLoaded>;
  notice: (notice: NoticeEvent) => void;
  /** Opens what the configuration moves, beside what is in force; rejects when it cannot be had. */
  prepare: (config: Config) => Promise<unknown>;
  /** It is known how the reload ended: goes over to what was prepared, or forgets it. */
  settle: (accepted: boolean) => Promise<unknown>;
  supervisor: () => Supervisor<Config>;
  /** Whether an upgrade is under way, which a reload would disturb. */
  upgrading: () => boolean;
  /** Told of a reload that begins, and of how it ended. */
  reloading: ((ended: Outcome | undefined) => void) | undefined;
}

/** See the file's head. */
export class Reloads {
  readonly #parts: ReloadParts;
  #last: Promise<unknown> = Promise.resolve();
  /** Why the last one was refused; '' when it was not. */
  error = '';

  constructor(parts: ReloadParts) {
    this.#parts = parts;
  }

  /** Loads for the supervisor, and prepares what the configuration moves. */
  async load(): Promise<{ ok: false; problems: string[] } | Loaded> {
    const { notice, prepare } = this.#parts;
    const next = await this.#parts.load();
    if (!next.ok) return { ok: false, problems: next.problems.map(formatProblem) };
    for (const warning of next.warnings) notice({ level: 'warn', message: formatProblem(warning) });
    try {
      await prepare(next.config);
    } catch (error) {
      return { ok: false, problems: [(error as Error).message] };
    }
    return next;
  }

  /** What a reload would change now. */
  async preview(): Promise<Outcome> {
    const { snapshot } = this.#parts.supervisor();
    const next = await this.#parts.load();
    if (!next.ok) return { ok: false, problems: next.problems.map(formatProblem) };
    return { ok: true, generation: snapshot.generation, changes: changesTo(snapshot, next) };
  }

  /** Reloads when those asked for before have ended. */
  run(): Promise<Outcome> {
    const next = this.#last.then(() => this.#run());
    this.#last = next;
    return next;
  }

  /** Resolves when no reload is under way. */
  get settled(): Promise<unknown> {
    return this.#last;
  }

  async #run(): Promise<Outcome> {
    const { supervisor, settle, upgrading, reloading } = this.#parts;
    if (upgrading()) return { ok: false, problems: ['an upgrade is under way; reload when it has ended'] };
    reloading?.(undefined);
    const before = supervisor().snapshot;
    const result = await supervisor().reload();
    await settle(result.ok);
    this.error = result.ok ? '' : result.problems.join('; ');
    const ended: Outcome = result.ok ? { ...result, changes: changesTo(before, supervisor().snapshot) } : result;
    reloading?.(ended);
    return ended;
  }
}
