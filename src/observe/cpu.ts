/**
 * How busy the processors are: this process by one core, the control group it runs in by its quota (cgroup v2 and v1), and
 * the whole machine. Sources: Linux `Documentation/admin-guide/cgroup-v2.rst` (cpu.max, cpu.stat), `scheduler/sched-bwc.rst`
 * (cpu.cfs_quota_us) and proc(5) (/proc/stat).
 */
import { readFileSync } from 'node:fs';
import { cpus, platform } from 'node:os';
import type { Clock } from '../kernel/clock.ts';

/** Shares of the time between two readings, from 0 to 1; 0 where there is nothing to tell. */
export interface CpuShares {
  /** This process of one core: what runs JavaScript cannot use more than one. */
  worker: number;
  /** Everything in the control group of its quota, the tightest of those above it; 0: no quota. */
  quota: number;
  machine: number;
}

/** Where readings come from; tests bring their own. */
export interface CpuSources {
  /** Text of a file, undefined where there is none. */
  read(path: string): string | undefined;
  /** Microseconds of processor time that this process has had. */
  used(): number;
}

/** The real ones. */
const systemCpu: CpuSources = {
  read(path) {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      return undefined;
    }
  },
  used() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
};

/** A control group that has a quota. */
interface Group {
  /** Cores' worth of time that it may have. */
  cores: number;
  /** Milliseconds of processor time that it has had. */
  used(): number | undefined;
  before: number;
}

/** A quota may be changed while the process runs: it is looked for again so often, in milliseconds. */
const GROUPS_MS = 10_000;
const V2 = '/sys/fs/cgroup';
/** Controllers of cgroup v1 are mounted under either name. */
const V1 = ['/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup/cpu'];

/** Gives a reader; each call tells the time since the call before. Call it a few times a second. */
export function cpuReader(clock: Pick<Clock, 'now'>, sources: CpuSources = systemCpu): () => CpuShares {
  let at = clock.now();
  let used = sources.used();
  let machine = machineTimes(sources);
  let groups = groupsOf(sources);
  let groupsAt = at;
  return () => {
    const now = clock.now();
    const passed = now - at;
    if (passed <= 0) return { worker: 0, quota: 0, machine: 0 };
    at = now;
    const usedNow = sources.used();
    const worker = share((usedNow - used) / 1000 / passed);
    used = usedNow;
    let quota = 0;
    for (const group of groups) {
      const after = group.used();
      if (after === undefined) continue;
      quota = Math.max(quota, share((after - group.before) / (passed * group.cores)));
      group.before = after;
    }
    if (now - groupsAt >= GROUPS_MS) {
      groupsAt = now;
      groups = groupsOf(sources);
    }
    const before = machine;
    const after = machineTimes(sources);
    if (after.all > 0) machine = after;
    const all = after.all - before.all;
    return { worker, quota, machine: all <= 0 ? 0 : share((after.busy - before.busy) / all) };
  };
}

const share = (value: number): number => (Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0);

/** Groups with a quota, from this process' own up to the root. */
function groupsOf({ read }: CpuSources): Group[] {
  const groups: Group[] = [];
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, id, controllers = '', path = ''] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (id === '0' && controllers === '') for (const folder of upwards(V2, path)) add(groups, groupV2(read, folder));
    else if (controllers.split(',').includes('cpu'))
      for (const root of V1) for (const folder of upwards(root, path)) add(groups, groupV1(read, folder));
  }
  return groups;
}

function add(groups: Group[], group: Group | undefined): void {
  if (group !== undefined) groups.push(group);
}

/** Of `/a/b`: `root/a/b`, `root/a`, `root`. In a container the path may be the host's: then only the root is there. */
function upwards(root: string, path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return Array.from({ length: parts.length + 1 }, (_, i) => [root, ...parts.slice(0, parts.length - i)].join('/'));
}

function groupV2(read: CpuSources['read'], folder: string): Group | undefined {
  const [, quota, period] = /^(\d+) (\d+)/.exec(read(`${folder}/cpu.max`) ?? '') ?? [];
  if (quota === undefined) return undefined;
  const used = () => {
    const text = /^usage_usec (\d+)/m.exec(read(`${folder}/cpu.stat`) ?? '')?.[1];
    return text === undefined ? undefined : Number(text) / 1000;
  };
  return grouped(Number(quota) / Number(period), used);
}

function groupV1(read: CpuSources['read'], folder: string): Group | undefined {
  const quota = Number(read(`${folder}/cpu.cfs_quota_us`) ?? -1);
  const period = Number(read(`${folder}/cpu.cfs_period_us`) ?? 0);
  if (quota <= 0) return undefined;
  const alone = folder.replace(/^\/sys\/fs\/cgroup\/cpu(?=\/|$)/, '/sys/fs/cgroup/cpuacct');
  const used = () => {
    const text = read(`${folder}/cpuacct.usage`) ?? read(`${alone}/cpuacct.usage`);
    return text === undefined ? undefined : Number(text) / 1e6;
  };
  return grouped(quota / period, used);
}

function grouped(cores: number, used: () => number | undefined): Group | undefined {
  const before = used();
  return before === undefined || !(cores > 0) || !Number.isFinite(cores) ? undefined : { cores, used, before };
}

/** Time of all processors together, in units of their own; nothing where it cannot be read, as without a free file descriptor. */
function machineTimes({ read }: CpuSources): { busy: number; all: number } {
  // user nice system idle iowait irq softirq steal; guest times are part of user's.
  const line = /^cpu +([\d ]+)/.exec(read('/proc/stat') ?? '')?.[1];
  const times = line === undefined ? elsewhere() : line.split(' ').slice(0, 8).map(Number);
  const all = times.reduce((sum, time) => sum + time, 0);
  const [, , , idle = 0, waiting = 0] = times;
  return { busy: all - idle - waiting, all };
}

/** Systems without /proc/stat. */
function elsewhere(): number[] {
  const sum = [0, 0, 0, 0, 0, 0];
  if (platform() === 'linux') return sum;
  for (const { times } of cpus()) {
    const own = [times.user, times.nice, times.sys, times.idle, 0, times.irq];
    for (let i = 0; i < own.length; i++) sum[i] = (sum[i] as number) + (own[i] as number);
  }
  return sum;
}
