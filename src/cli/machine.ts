/** What this machine gives a process. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { formatSize } from '../kernel/limit.ts';

/** How many workers a configuration asks for. */
export function workersOf({ workers }: { workers: number | 'auto' }): number {
  return workers === 'auto' ? availableParallelism() : workers;
}

/** Why a worker that holds `bytes` is to be replaced, or ''. `limit`: 0 for none. */
export function tooLarge(bytes: number, limit: number): string {
  if (limit === 0 || bytes <= limit) return '';
  return `holds ${Math.round(bytes / 2 ** 20)}MiB, more than workerMemory (${formatSize(limit)})`;
}

/** File descriptors that this process may have, and has open now; undefined where the system does not tell. */
export function descriptorsOf(): { limit: number; used: number } | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : { limit: Number(soft), used: readdirSync('/proc/self/fd').length };
  } catch {
    return undefined;
  }
}
