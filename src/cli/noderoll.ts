/**
 * The name that this process bears among nodes that share limits, kept in the data directory while it lives: who starts there after it
 * was killed can tell the others that it is not merely cut off, and nothing is held back for it.
 */
import { mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Roll } from '../policy/quota/quota.ts';
import { bornAt, lives } from './lives.ts';

/** Folder of names in the data directory: one empty file each, `NODE.PID.BORN`. */
const FOLDER = 'nodes';

/** What it is made of. */
export interface NodeRollParts {
  /** Data directory. */
  folder: string;
  notice(notice: NoticeEvent): void;
  /** Workers of a process before us may still spend of budgets. */
  orphans(): boolean;
}

interface Before {
  readonly file: string;
  readonly node: string;
  readonly pid: number;
  readonly born: string;
}

/** See the file's head. */
export class NodeRoll implements Roll {
  readonly #parts: NodeRollParts;
  readonly #folder: string;
  /** Our own file, while it is there. */
  #own: string | undefined;
  /** Those whose files were there when we first came. An upgrade's old process is alive, and leaves by itself. */
  #before: Before[] | undefined;
  #failed = false;

  constructor(parts: NodeRollParts) {
    this.#parts = parts;
    this.#folder = join(parts.folder, FOLDER);
  }

  enter(node: string): void {
    const file = `${node}.${process.pid}.${bornAt(process.pid)}`;
    if (this.#own === file) return;
    this.leave();
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      this.#before ??= this.#read();
      writeFileSync(join(this.#folder, file), '', { mode: 0o600 });
      this.#own = file;
    } catch (error) {
      if (this.#failed) return;
      this.#failed = true;
      const message = `${this.#folder} cannot be written: ${(error as Error).message}; when this process is killed, its share of limits is held back for ten minutes`;
      this.#parts.notice({ level: 'warn', message });
    }
  }

  leave(): void {
    if (this.#own !== undefined) this.#remove(this.#own);
    this.#own = undefined;
  }

  dead(): string[] {
    if (this.#before === undefined || this.#before.length === 0 || this.#parts.orphans()) return [];
    return this.#before.filter(({ pid, born }) => !lives(pid, born)).map(({ node }) => node);
  }

  buried(node: string): void {
    const [one] = this.#before?.filter((before) => before.node === node) ?? [];
    this.#before = this.#before?.filter((before) => before !== one);
    // It has left by itself.
    if (one === undefined || !this.#remove(one.file)) return;
    const message = `the gateway that was here before has died (process ${one.pid}): nodes that share limits hold nothing back for it any more`;
    this.#parts.notice({ level: 'info', message });
  }

  #read(): Before[] {
    return readdirSync(this.#folder).flatMap((file) => {
      const [, node, pid, born] = /^([\w-]+)\.(\d+)\.(\d*)$/.exec(file) ?? [];
      return node === undefined ? [] : [{ file, node, pid: Number(pid), born: born ?? '' }];
    });
  }

  #remove(file: string): boolean {
    try {
      unlinkSync(join(this.#folder, file));
      return true;
    } catch {
      return false;
    }
  }
}
