/** The folders of certificates that a configuration names, each looked at again and again. */
import { CertificateFolder, type FolderChange } from '../certificate/folder.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { CertificateConfig } from './inuse.ts';

/** What it needs. */
export interface FoldersParts {
  clock: Clock;
  /** A certificate has come or changed, or gone (`found` is undefined). */
  serve(id: string, listener: string, found: FolderChange['found']): void;
  /** A look has changed something. */
  looked(): void;
  failed(text: string): void;
}

/** A folder that holds few is looked at this often, in milliseconds; one with many takes longer. */
const LOOK_MS = 2000;
const LOOK_MS_EACH = 1;

interface Watched {
  readonly folder: CertificateFolder;
  readonly listener: string;
  /** What is served of it now. */
  readonly ids: Set<string>;
  timer: Timer | undefined;
  looking: boolean;
  /** No configuration names it any more. */
  left: boolean;
}

/** See the file's head. */
export class Folders {
  readonly #parts: FoldersParts;
  readonly #watched = new Map<string, Watched>();
  #stopped = false;

  constructor(parts: FoldersParts) {
    this.#parts = parts;
  }

  /** Those of this configuration from now on. Resolves when new ones have been read. */
  async follow(config: CertificateConfig): Promise<void> {
    const wanted = new Map<string, { listener: string; path: string; most: number }>();
    for (const [listener, { tls }] of Object.entries(config.listeners)) {
      const { folder: path, most = 0 } = tls?.domains ?? {};
      if (path !== undefined) wanted.set(`${listener}\n${path}\n${most}`, { listener, path, most });
    }
    for (const key of this.#watched.keys()) if (!wanted.has(key)) this.#leave(key);
    if (this.#stopped) {
      this.#stopped = false;
      for (const [key, watched] of this.#watched) if (!watched.looking) await this.#look(key, watched);
    }
    for (const [key, { listener, path, most }] of wanted) {
      if (this.#watched.has(key)) continue;
      const folder = new CertificateFolder(path, most);
      const watched: Watched = { folder, listener, ids: new Set(), timer: undefined, looking: false, left: false };
      this.#watched.set(key, watched);
      await this.#look(key, watched);
    }
  }

  /** Looks no more until `follow`; what was found is served on, as handshakes may be under way. */
  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#watched.values()) timer?.cancel();
  }

  #leave(key: string): void {
    const watched = this.#watched.get(key);
    if (watched === undefined) return;
    watched.left = true;
    watched.timer?.cancel();
    this.#watched.delete(key);
    for (const id of watched.ids) this.#parts.serve(id, '', undefined);
  }

  async #look(key: string, watched: Watched): Promise<void> {
    const { clock, serve, looked, failed } = this.#parts;
    const { folder, listener, ids } = watched;
    let count = 0;
    const take = ({ name, found }: FolderChange) => {
      if (watched.left) return;
      count++;
      const id = `folder:${key}\n${name}`;
      if (found === undefined) ids.delete(id);
      else ids.add(id);
      serve(id, listener, found);
    };
    watched.looking = true;
    await folder.look(clock.wall(), take, failed);
    watched.looking = false;
    if (watched.left) return;
    if (count > 0) looked();
    if (this.#stopped) return;
    watched.timer = clock.after(LOOK_MS + LOOK_MS_EACH * folder.size, () => void this.#look(key, watched));
  }
}
