/** Files that outlive the program and that only its user may read: account keys, certificates with their keys. */
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A folder of such files. Names are the caller's, and must be safe as file names. */
export class Keep {
  readonly folder: string;

  /** Makes the folder when it is first written to. */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** Text of a file; undefined when there is none. Throws when it cannot be read. */
  read(name: string): string | undefined {
    try {
      return readFileSync(join(this.folder, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Replaces a file in one step: whoever reads it meanwhile, or after a crash, sees the old or the new one whole. */
  write(name: string, text: string): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, name);
    const fresh = `${path}.new`;
    const file = openSync(fresh, 'w', 0o600);
    try {
      // A file of that name may be left over, with other rights.
      chmodSync(fresh, 0o600);
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(fresh, path);
  }
}
