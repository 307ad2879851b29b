import assert from 'node:assert/strict';
import { mkdtemp, readFile, rename, rm, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { LogFile } from './logfile.ts';
import { LogWriter, type LogWriterOptions, openLog } from './logwriter.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'gatehouse-log-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

function setUp(more: Partial<LogWriterOptions> = {}) {
  const clock = new ManualClock();
  const notices: NoticeEvent[] = [];
  const lost: number[] = [];
  const drains: number[] = [];
  const options: LogWriterOptions = {
    clock,
    notice: (notice) => notices.push(notice),
    onDrop: (lines) => lost.push(lines),
    onDrain: () => drains.push(1),
    ...more,
  };
  return { clock, notices, lost, drains, options };
}

/** A file in memory whose writes do as the test says: a number of bytes, an errno, or all. */
function memoryFile(answers: (number | string)[]): LogFile & { text: string; closed: boolean } {
  return {
    text: '',
    closed: false,
    async write(buffer, offset, length) {
      const answer = answers.shift() ?? length;
      if (typeof answer === 'string') throw Object.assign(new Error(`${answer}: no`), { code: answer });
      const n = Math.min(answer, length);
      this.text += buffer.toString('utf8', offset, offset + n);
      return n;
    },
    renamed: async () => false,
    async close() {
      this.closed = true;
    },
  };
}

/** Lets everything that waits for no timer and no disk run. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test('lines are appended to what is there, and a rotation loses none', async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'access.log');
  const { options, notices } = setUp();
  const first = await openLog(path, options);
  first.write('0\n');
  await first.close();
  const writer = await openLog(path, options);
  assert.equal(writer.write('1\n2\n'), true);
  await rename(path, join(dir, 'access.log.1'));
  writer.write('3\n');
  await writer.reopen();
  writer.write('4\n');
  await writer.close();
  const [old, fresh] = await Promise.all(
    ['access.log.1', 'access.log'].map((name) => readFile(join(dir, name), 'utf8')),
  );
  assert.equal(`${old}${fresh}`, '0\n1\n2\n3\n4\n');
  assert.ok(fresh?.endsWith('4\n'));
  assert.deepEqual(notices, []);
});

test('a rename or removal is noticed without a signal', async (t) => {
  const path = join(await folder(t), 'access.log');
  const writer = await openLog(path, setUp().options);
  await writer.checkRename();
  await unlink(path);
  await writer.checkRename();
  writer.write('after\n');
  await writer.close();
  assert.equal(await readFile(path, 'utf8'), 'after\n');
});

test('a path that cannot be opened again leaves the old file in use and says why', async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'sub');
  const { options, notices } = setUp();
  const file = memoryFile([]);
  const writer = new LogWriter(path, file, () => Promise.reject(new Error('EACCES: no')), options);
  await writer.reopen();
  writer.write('still\n');
  await writer.close();
  assert.equal(file.text, 'still\n');
  assert.match(notices[0]?.message ?? '', /cannot be re-opened, going on with the old file: EACCES/);
  await assert.rejects(openLog(join(dir, 'missing', 'x.log'), options), /ENOENT/);
});

test('a full disk: serving goes on, lines are counted, and writing resumes on its own', async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'access.log');
  // The kernel's own full disk.
  await symlink('/dev/full', path);
  const { options, notices, lost } = setUp();
  const writer = await openLog(path, options);
  assert.equal(writer.write('1\n2\n'), true);
  while (writer.dropped < 2) await settle();
  writer.write('3\n');
  while (writer.dropped < 3) await settle();
  assert.deepEqual(lost, [2, 1]);
  assert.equal(notices.length, 1);
  assert.match(notices[0]?.message ?? '', /access\.log cannot be written, lines are lost: ENOSPC/);
  await unlink(path);
  await writer.reopen();
  writer.write('4\n');
  await writer.close();
  assert.equal(await readFile(path, 'utf8'), '4\n');
  assert.match(notices[1]?.message ?? '', /can be written again; 3 lines were lost/);
});

test('a torn line is ended before the next batch begins', async () => {
  const { options } = setUp();
  const file = memoryFile([3, 'ENOSPC']);
  const writer = new LogWriter('log', file, undefined, options);
  writer.write('a\nbcd\ne\n');
  await settle();
  writer.write('f\n');
  await writer.close();
  assert.equal(file.text, 'a\nb\nf\n');
  assert.equal(writer.dropped, 2);
});

test('short writes and a full pipe are carried on', async () => {
  const { clock, options, notices } = setUp();
  const file = memoryFile([1, 'EAGAIN', 0, 2]);
  const writer = new LogWriter('log', file, undefined, options);
  writer.write('abcdef\n');
  for (let i = 0; i < 5; i++) {
    await settle();
    clock.advance(20);
  }
  await writer.close();
  assert.equal(file.text, 'abcdef\n');
  assert.deepEqual([writer.dropped, notices.length], [0, 0]);
});

test('a writer that is behind says so, drops beyond its memory, and tells when it has caught up', async () => {
  const { clock, options, lost, drains } = setUp({ highWater: 10, maxWaiting: 20 });
  const file = memoryFile(['EAGAIN']);
  const writer = new LogWriter('log', file, undefined, options);
  assert.equal(writer.write('1234\n'), true);
  assert.equal(writer.write('5678\n'), false);
  assert.equal(writer.write('123456789\n'), false);
  assert.equal(writer.write('x\ny\n'), false);
  assert.deepEqual([lost, drains], [[2], []]);
  await settle();
  clock.advance(20);
  await settle();
  assert.deepEqual(drains, [1]);
  assert.equal(file.text, '1234\n5678\n123456789\n');
  assert.equal(writer.write('z\n'), true);
  await writer.close();
  assert.equal(file.closed, true);
  assert.equal(writer.write('late\n'), false);
  assert.equal(writer.dropped, 3);
});

test('a lasting fault is told every half minute, not with every batch', async () => {
  const { clock, options, notices } = setUp();
  const writer = new LogWriter('log', memoryFile(Array(100).fill('EIO')), undefined, options);
  for (let i = 0; i < 65; i++) {
    writer.write('x\n');
    await settle();
    clock.advance(1000);
  }
  assert.equal(notices.length, 3);
  assert.equal(writer.dropped, 65);
});
