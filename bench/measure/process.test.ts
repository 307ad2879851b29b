import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuOfTree, memoryOfTree, parseMemory, parseStat, treeOf } from './process.ts';

test('a stat line is read whatever the command is called', () => {
  const rest = 'S 7 1 1 0 -1 4194304 2228 0 3 0 54 206 11 5 20 0 1 0 200498 100499456 3800';
  const expected = { pid: 42, parent: 7, own: 260, reaped: 16 };
  for (const command of ['(node)', '(a b)', '(x) S 9 (y)', '())']) {
    assert.deepEqual(parseStat(`42 ${command} ${rest}`), expected, command);
  }
});

test('a tree is the root and all that descend from it', () => {
  const process = (pid: number, parent: number) => ({ pid, parent, own: 0, reaped: 0 });
  const all = [process(1, 0), process(5, 1), process(9, 6), process(6, 5), process(7, 1)];
  assert.deepEqual(
    treeOf(5, all).map(({ pid }) => pid),
    [5, 6, 9],
  );
  assert.deepEqual(treeOf(99, all), []);
});

test('memory is what is owned by share, and the files mapped', () => {
  const rollup = 'Rss:  900 kB\nPss:  500 kB\nPss_Anon:  300 kB\nPss_File:  190 kB\nPss_Shmem:  10 kB\n';
  const status = 'VmRSS:\t 900 kB\nRssAnon:\t 400 kB\nRssFile:\t 490 kB\nRssShmem:\t 10 kB\n';
  assert.deepEqual(parseMemory(rollup, status), { own: 310 * 1024, files: 490 * 1024 });
  assert.deepEqual(parseMemory('', status), { own: 410 * 1024, files: 490 * 1024 });
  assert.deepEqual(parseMemory('', ''), { own: 0, files: 0 });
});

test('this very process has used something', { skip: process.platform !== 'linux' && 'needs /proc' }, () => {
  assert.ok(cpuOfTree(process.pid) >= 0);
  assert.ok(memoryOfTree(process.pid) > 1024 * 1024);
  assert.throws(() => cpuOfTree(2 ** 30), /has ended/);
});
