/** Where the repository is, seen from a compiled test. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function find(from: string): string {
  for (let at = from; ; at = dirname(at)) {
    if (existsSync(join(at, 'package-lock.json'))) return at;
    if (dirname(at) === at) throw new Error(`no package-lock.json above ${from}: run the tests inside the repository`);
  }
}

/** Absolute path of the repository's top folder. */
export const REPOSITORY = find(import.meta.dirname);

/** Absolute path of a file of the repository. */
export const inRepository = (...parts: string[]): string => join(REPOSITORY, ...parts);
