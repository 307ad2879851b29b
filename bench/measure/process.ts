/** What a process tree has used, read from /proc. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** The fields of /proc/PID/stat that the bench reads; times in clock ticks. */
export interface Stat {
  pid: number;
  parent: number;
  /** User and system time of the process's own threads. */
  own: number;
  /** User and system time of children that have ended and been waited for. */
  reaped: number;
}

/** Linux reports process times in hundredths of a second on every architecture that Node runs on (USER_HZ). */
const MICROSECONDS_PER_TICK = 10_000;

/** Reads one line of /proc/PID/stat (proc(5)); the command in parentheses may hold spaces and parentheses itself. */
export function parseStat(line: string): Stat {
  const close = line.lastIndexOf(')');
  const fields = line.slice(close + 2).split(' ');
  const numberAt = (field: number) => Number(fields[field - 3]);
  return {
    pid: Number.parseInt(line, 10),
    parent: numberAt(4),
    own: numberAt(14) + numberAt(15),
    reaped: numberAt(16) + numberAt(17),
  };
}

/** Memory of one process, in bytes. */
export interface Memory {
  /** Pages of its own (heap, stacks, shared memory), shared ones by their share: the proportional set size. */
  own: number;
  /** Pages of files that it has mapped and touched: its program and libraries. */
  files: number;
}

/**
 * Reads /proc/PID/smaps_rollup and /proc/PID/status. Where the first cannot be read, `own` is the resident set without
 * the file pages.
 */
export function parseMemory(rollup: string, status: string): Memory {
  const bytes = (text: string, field: string) => {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text);
    return found ? Number(found[1]) * 1024 : 0;
  };
  const own = bytes(rollup, 'Pss_Anon') + bytes(rollup, 'Pss_Shmem');
  return {
    own: own > 0 ? own : bytes(status, 'RssAnon') + bytes(status, 'RssShmem'),
    files: bytes(status, 'RssFile'),
  };
}

/** The processes in `all` that descend from `root`, itself included. */
export function treeOf(root: number, all: readonly Stat[]): Stat[] {
  const tree = all.filter((process) => process.pid === root);
  for (let at = 0; at < tree.length; at++) {
    for (const process of all) if (process.parent === tree[at]!.pid && process.pid !== root) tree.push(process);
  }
  return tree;
}

function readTree(root: number): Stat[] {
  const all: Stat[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      all.push(parseStat(readFileSync(`/proc/${entry}/stat`, 'latin1')));
    } catch {
      // It has ended between the listing and the read.
    }
  }
  return treeOf(root, all);
}

/**
 * CPU time of the tree under `root` since its start, user and system, reaped children included.
 * @returns microseconds, in steps of 10,000.
 * @throws Error when the root process is gone.
 */
export function cpuOfTree(root: number): number {
  const tree = readTree(root);
  if (tree.length === 0) throw new Error(`process ${root} has ended`);
  return tree.reduce((sum, { own, reaped }) => sum + own + reaped, 0) * MICROSECONDS_PER_TICK;
}

/** The processes of the tree under `root`. */
export function pidsOfTree(root: number): number[] {
  return readTree(root).map(({ pid }) => pid);
}

/**
 * Memory of the tree under `root` in bytes: what its processes own, and the largest one's program once. File pages are
 * not taken by their share, because that would fall with every other program on the machine that runs the same binary.
 */
export function memoryOfTree(root: number): number {
  const all = readTree(root).map(({ pid }) => parseMemory(read(pid, 'smaps_rollup'), read(pid, 'status')));
  return all.reduce((sum, { own }) => sum + own, 0) + Math.max(0, ...all.map(({ files }) => files));
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return ''; // Not readable, or the process has ended.
  }
}
