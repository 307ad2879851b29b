/** Files as Linux writes them, and what is read out of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../kernel/clock.ts';
import { cpuReader } from './cpu.ts';

const stat = (user: number, idle: number) => `cpu  ${user} 0 0 ${idle} 0 0 0 0 5 0\ncpu0 1 2 3 4\n`;

/** A machine whose files can be changed. */
function machine(files: Record<string, string>) {
  const state = { now: 0, used: 0 };
  const read = cpuReader({ now: () => state.now }, { read: (path) => files[path], used: () => state.used });
  return { files, state, read };
}

const V2 = '/sys/fs/cgroup';

describe('how busy the processors are', () => {
  test('the process by one core, the machine by all', () => {
    const { files, state, read } = machine({ '/proc/stat': stat(100, 100) });
    Object.assign(state, { now: 1000, used: 250_000 });
    files['/proc/stat'] = stat(190, 110);
    assert.deepEqual(read(), { worker: 0.25, quota: 0, machine: 0.9 });
    Object.assign(state, { now: 2000, used: 2_000_000 });
    files['/proc/stat'] = stat(190, 120);
    assert.deepEqual(read(), { worker: 1, quota: 0, machine: 0 }, 'helper threads do not make more than one core');
  });

  for (const [what, files, before, after] of [
    [
      'cgroup v2, in a container',
      { '/proc/self/cgroup': '0::/\n', [`${V2}/cpu.max`]: '200000 100000\n' },
      { [`${V2}/cpu.stat`]: 'usage_usec 1000000\nuser_usec 1\n' },
      { [`${V2}/cpu.stat`]: 'usage_usec 2500000\nuser_usec 1\n' },
    ],
    [
      'cgroup v2, a quota further up',
      {
        '/proc/self/cgroup': '0::/app.slice/gate.service\n',
        [`${V2}/app.slice/gate.service/cpu.max`]: 'max 100000\n',
        [`${V2}/app.slice/cpu.max`]: '200000 100000\n',
      },
      { [`${V2}/app.slice/cpu.stat`]: 'usage_usec 0\n' },
      { [`${V2}/app.slice/cpu.stat`]: 'usage_usec 1500000\n' },
    ],
    [
      'cgroup v1, whose path is the one of the host',
      {
        '/proc/self/cgroup': '12:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n0::/system.slice\n',
        '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '200000\n',
        '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
      },
      { '/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage': '0\n' },
      { '/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage': '1500000000\n' },
    ],
    [
      'cgroup v1, controllers apart',
      {
        '/proc/self/cgroup': '4:cpu:/a\n5:cpuacct:/a\n',
        '/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us': '200000\n',
        '/sys/fs/cgroup/cpu/a/cpu.cfs_period_us': '100000\n',
      },
      { '/sys/fs/cgroup/cpuacct/a/cpuacct.usage': '0\n' },
      { '/sys/fs/cgroup/cpuacct/a/cpuacct.usage': '1500000000\n' },
    ],
  ] as const) {
    test(what, () => {
      const { files: all, state, read } = machine({ ...files, ...before });
      Object.assign(all, after);
      state.now = 1000;
      assert.equal(read().quota, 0.75);
    });
  }

  test('no quota, and files that nobody expects', () => {
    for (const text of ['max 100000\n', '', '0 0\n', 'nonsense', '-1 100000']) {
      const { state, read } = machine({
        '/proc/self/cgroup': '0::/\n\nx\n',
        [`${V2}/cpu.max`]: text,
        [`${V2}/cpu.stat`]: 'usage_usec 5',
      });
      state.now = 1000;
      assert.equal(read().quota, 0, text);
    }
  });

  test('a quota that is changed while the process runs', () => {
    const { files, state, read } = machine({
      '/proc/self/cgroup': '0::/\n',
      [`${V2}/cpu.max`]: '100000 100000',
      [`${V2}/cpu.stat`]: 'usage_usec 0',
    });
    state.now = 20_000;
    files[`${V2}/cpu.max`] = '400000 100000';
    files[`${V2}/cpu.stat`] = 'usage_usec 20000000';
    assert.equal(read().quota, 1);
    state.now = 21_000;
    files[`${V2}/cpu.stat`] = 'usage_usec 21000000';
    assert.equal(read().quota, 0.25);
  });

  test('files that cannot be read for a while, as without a free descriptor', () => {
    const { files, state, read } = machine({ '/proc/stat': stat(100, 100) });
    delete files['/proc/stat'];
    state.now = 1000;
    assert.equal(read().machine, 0);
    files['/proc/stat'] = stat(130, 110);
    state.now = 2000;
    assert.equal(read().machine, 0.75);
  });

  test('this machine tells something', () => {
    const read = cpuReader(systemClock);
    const { worker, quota, machine: all } = read();
    for (const value of [worker, quota, all]) assert.ok(value >= 0 && value <= 1, String(value));
  });
});
