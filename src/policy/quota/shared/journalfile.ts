/** The file of long limits: one line for each change. */
import { readFileSync } from 'node:fs';
import type { StoreAccount } from './terms.ts';

/** One account as it was written; the last line of a key holds. `until`: wall clock, milliseconds. */
export type Line = [key: string, until: number, account: StoreAccount];

/** The lines that are whole: the last one may not be. */
export function* readLines(path: string): Generator<Line> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  for (const line of text.split('\n')) {
    try {
      if (line !== '') yield JSON.parse(line) as Line;
    } catch {
      // Cut off by a crash, before anybody was told of it.
    }
  }
}
