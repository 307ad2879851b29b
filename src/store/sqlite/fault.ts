/** What SQLite reports → a fault that says who, what, why and what to do (https://sqlite.org/rescode.html). Pure. */
import { StoreError, type StoreFault } from '../error.ts';

/** Primary result code → fault, and what to do. */
const FAULTS: Readonly<Record<number, readonly [StoreFault, string]>> = {
  3: ['denied', 'This user may not use it: give it to the user that runs Gatehouse.'],
  5: ['locked', 'Another process holds it: find it with fuser, or try again.'],
  6: ['locked', 'Another process holds it: find it with fuser, or try again.'],
  8: [
    'readonly',
    'It takes no writes: check the owner and mode of file and folder, and that the file system is not mounted read-only.',
  ],
  10: ['failed', 'The disk failed to read or write: see the kernel log, and restore a copy when the disk is broken.'],
  11: ['corrupt', 'It is damaged and was left as it is. Move it away and put the last good copy in its place.'],
  13: ['full', 'No space is left, and nothing of the write was kept. Make room on the disk.'],
  14: ['denied', 'It cannot be opened: check that the folder exists and belongs to the user that runs Gatehouse.'],
  26: [
    'corrupt',
    'It is no SQLite database, or its beginning is damaged. It was left as it is: move it away, or name another path.',
  ],
};

/** Result code of an error of either binding; undefined when it is no error of SQLite. */
function resultCode(error: unknown): number | undefined {
  const { errcode, rawCode } = error as { errcode?: unknown; rawCode?: unknown };
  const code = typeof errcode === 'number' ? errcode : rawCode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** True when another connection is in the way. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === 5 || code === 6;
}

/** The error to reject with. `doing`: what was asked for, such as `writing`. */
export function sqliteFault(error: unknown, path: string, doing: string): StoreError {
  if (error instanceof StoreError) return error;
  const said = error instanceof Error ? error.message : String(error);
  const [fault, advice] = FAULTS[resultCode(error) ?? -1] ?? byText(said);
  return new StoreError(fault, `Store ${path}: ${doing} failed: ${said.replace(/\s+/g, ' ')}. ${advice}`, error);
}

/** One binding reports failures to open by text alone. */
function byText(said: string): readonly [StoreFault, string] {
  for (const [text, code] of [
    ['Unable to open', 14],
    ['unable to open', 14],
    ['not a database', 26],
    ['malformed', 11],
    ['readonly', 8],
    ['is locked', 5],
  ] as const)
    if (said.includes(text)) return FAULTS[code] as readonly [StoreFault, string];
  return ['failed', 'Please report this, with the message.'];
}
