/**
 * Whose a data directory is: two gateways in one would take in each other's usage and limits, and budgets of the one would be spent by
 * the other. The old and the new process of an upgrade share it rightly.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NoticeEvent } from '../kernel/event.ts';
import { bornAt, lives } from './lives.ts';

/** File in the data directory: `PID BORN`. */
const FILE = 'gateway';

/** Takes the directory, and tells where another gateway that is not the one before us has it. `predecessor`: its process. */
export function claimData(folder: string, predecessor: number, notice: (notice: NoticeEvent) => void): void {
  const path = join(folder, FILE);
  const holder = holderOf(path);
  if (holder !== undefined && holder !== process.pid && holder !== predecessor) {
    const message = `process ${holder} is a gateway with the data directory ${folder} too: what both use is put into one ledger, and spends the same budgets; give this one a directory of its own (STATE_DIRECTORY, or XDG_STATE_HOME)`;
    notice({ level: 'error', message });
    return;
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(path, `${process.pid} ${bornAt(process.pid)}`, { mode: 0o600 });
  } catch {
    // Whoever needs to write there says that it cannot.
  }
}

/** The process that has it, while it lives. */
function holderOf(path: string): number | undefined {
  try {
    const [pid = '', born = ''] = readFileSync(path, 'utf8').split(' ');
    return /^\d+$/.test(pid) && lives(Number(pid), born) ? Number(pid) : undefined;
  } catch {
    return undefined;
  }
}
