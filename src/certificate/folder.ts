/**
 * A folder of certificates: `NAME.pem` or `NAME.crt` beside `NAME.key`, or `NAME/fullchain.pem` with `NAME/privkey.pem`. It is
 * read anew every few seconds; what is damaged, half-written or expired leaves the last good one in force.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateFacts, Pair } from './facts.ts';
import { checkedFacts } from './judge.ts';

/** What a look at the folder has found. */
export interface FolderChange {
  /** Name in the folder, without its ending. */
  name: string;
  /** Undefined: it has gone. */
  found: { pair: Pair; facts: CertificateFacts } | undefined;
}

interface Known {
  stamp: string;
  content: string;
  /** A problem that was seen once: a file that is being written is given until the next look. */
  suspect: string;
  told: string;
  good: boolean;
}

/** Files looked at together. */
const BATCH = 64;
const MAX_BYTES = 256 * 1024;

/** One folder. */
export class CertificateFolder {
  readonly path: string;
  readonly #most: number;
  readonly #known = new Map<string, Known>();
  #unreadable = '';
  #tooMany = false;

  /** `most`: certificates that are taken. */
  constructor(path: string, most: number) {
    this.path = path;
    this.#most = most;
  }

  /** Certificates seen at the last look. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * Looks at the folder: tells what has changed since the last look, and each problem once, when it is still there at the
   * second look. `now`: milliseconds since 1970.
   */
  async look(now: number, changed: (change: FolderChange) => void, problem: (text: string) => void): Promise<void> {
    let files: Map<string, [string, string]>;
    try {
      files = await this.#list(problem);
      this.#unreadable = '';
    } catch (error) {
      const { message } = error as Error;
      if (this.#unreadable !== message) problem(`the folder ${this.path} cannot be read: ${message}`);
      this.#unreadable = message;
      return;
    }
    for (const name of [...this.#known.keys()]) {
      if (files.has(name)) continue;
      const gone = this.#known.get(name);
      this.#known.delete(name);
      if (gone?.good) changed({ name, found: undefined });
    }
    const all = [...files];
    for (let at = 0; at < all.length; at += BATCH) {
      await Promise.all(
        all.slice(at, at + BATCH).map(([name, pair]) => this.#lookAt(name, pair, now, changed, problem)),
      );
    }
  }

  async #lookAt(
    name: string,
    [certificate, key]: [string, string],
    now: number,
    changed: (change: FolderChange) => void,
    problem: (text: string) => void,
  ): Promise<void> {
    const known = this.#known.get(name) ?? { stamp: '', content: '', suspect: '', told: '', good: false };
    this.#known.set(name, known);
    try {
      const stamp = (await stampOf(certificate)) + (await stampOf(key));
      if (stamp === known.stamp && known.suspect === '') return;
      known.stamp = stamp;
      const pair = { certificate: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
      const content = createHash('sha256').update(pair.certificate).update(pair.key).digest('hex');
      if (content === known.content) {
        known.suspect = '';
        return;
      }
      const facts = checkedFacts(pair, now);
      Object.assign(known, { content, suspect: '', told: '', good: true });
      changed({ name, found: { pair, facts } });
    } catch (error) {
      const { message } = error as Error;
      if (known.suspect === message && known.told !== message) {
        known.told = message;
        const stays = known.good ? 'the one before stays in force' : 'it is left out';
        problem(`${certificate}: ${message}; ${stays}`);
      }
      known.suspect = message;
    }
  }

  /** Name → certificate and key. */
  async #list(problem: (text: string) => void): Promise<Map<string, [string, string]>> {
    const found = new Map<string, [string, string]>();
    const entries = await readdir(this.path, { withFileTypes: true });
    const names = new Set(entries.map(({ name }) => name));
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      const [, base = '', ending] = /^(.*)\.(pem|crt)$/.exec(entry.name) ?? [];
      if (ending !== undefined && names.has(`${base}.key`)) {
        found.set(base, [join(this.path, entry.name), join(this.path, `${base}.key`)]);
      } else if (
        entry.isDirectory() ||
        (entry.isSymbolicLink() && ending === undefined && !entry.name.endsWith('.key'))
      ) {
        const here = join(this.path, entry.name);
        found.set(entry.name, [join(here, 'fullchain.pem'), join(here, 'privkey.pem')]);
      }
      if (found.size > this.#most) {
        found.delete([...found.keys()].at(-1) as string);
        const text = `${this.path} has more than ${this.#most} certificates (domains.most); the rest is left out`;
        if (!this.#tooMany) problem(text);
        this.#tooMany = true;
        return found;
      }
    }
    this.#tooMany = false;
    return found;
  }
}

async function stampOf(file: string): Promise<string> {
  const { dev, ino, size, mtimeMs } = await stat(file);
  if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES / 1024} KiB`);
  return `${dev} ${ino} ${size} ${mtimeMs} `;
}
