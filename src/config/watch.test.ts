import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { watchFiles } from './watch.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-watch-'));
after(() => rmSync(folder, { recursive: true }));

test('told of each new content: written, replaced behind links as Kubernetes does, removed; not of a mere touch', async () => {
  for (const version of ['1', '2']) {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'file'), `version ${version}`);
  }
  symlinkSync('1', join(folder, 'data'));
  const file = join(folder, 'data', 'file');
  let changes = 0;
  let tell = () => {};
  const watched = watchFiles(
    () => [file],
    5,
    () => {
      changes++;
      tell();
    },
  );
  const next = async (change: () => void) => {
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    change();
    // The watch itself keeps no process alive.
    const alive = setInterval(() => {}, 1000);
    await told;
    clearInterval(alive);
  };
  await next(() => writeFileSync(join(folder, '1', 'file'), 'changed'));
  await next(() => {
    symlinkSync('2', join(folder, 'next'));
    renameSync(join(folder, 'next'), join(folder, 'data'));
  });
  writeFileSync(join(folder, '2', 'file'), 'version 2'); // the same again
  await next(() => rmSync(join(folder, '2', 'file')));
  writeFileSync(join(folder, '2', 'file'), 'loaded by a signal');
  watched.seen();
  await next(() => writeFileSync(join(folder, '2', 'file'), 'and again'));
  assert.equal(changes, 4);
  watched.stop();
});
