/** A process is killed in the middle of its writes: what it was promised is there, and nothing is there by half. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../kernel/clock.ts';
import type { PostgresConfig, SqliteConfig } from './config.ts';
import { openStore } from './open.ts';
import { collect } from './stage.fixture.ts';

const WRITER = fileURLToPath(new URL('./crash.test.writer.js', import.meta.url));

/**
 * Kills `rounds` writers, each after a few more writes, and looks at the store after each. `left`: resolves when nothing of a
 * killed one is under way any more; a server may still carry out what it has been told last.
 */
export async function crash(
  config: SqliteConfig | PostgresConfig,
  rounds: number,
  left: () => Promise<void> = async () => {},
): Promise<void> {
  let promised = -1;
  for (let round = 0; round < rounds; round++) {
    const upTo = promised + 3 + round * 7;
    const first = promised < 0 ? 0 : promised + 2;
    const child = spawn(process.execPath, [WRITER, JSON.stringify(config), String(first)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    for await (const line of createInterface(child.stdout)) {
      promised = Number(line);
      if (promised >= upTo) child.kill('SIGKILL');
    }
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    await left();
    await inspect(config, promised, first);
  }
}

async function inspect(config: SqliteConfig | PostgresConfig, promised: number, first: number): Promise<void> {
  const store = await openStore(config, '', { clock: systemClock });
  try {
    for (let n = first; n <= promised + 1; n++) {
      const parts = (await store.list('key', { parent: String(n) })).documents;
      // One more may have been kept than was said.
      assert.ok(parts.length === 3 || (n > promised && parts.length === 0), `${parts.length} parts of write ${n}`);
      assert.equal(new Set(parts.map(({ version }) => version)).size <= 1, true);
    }
    const newest = await store.get<number>('key', 'newest');
    assert.ok(newest !== undefined && (newest.value === promised || newest.value === promised + 1));
    assert.equal((await store.find('key', `at ${newest.value}`))?.id, 'newest');
    assert.equal(await store.find('key', `at ${newest.value - 1}`), undefined);
    assert.equal(await store.revision(), newest.version);
    const charged = await collect(store.ledger.entries());
    assert.ok(charged.some(({ id }) => id === String(promised)));
    const [sum] = await store.ledger.sums({ by: [] });
    assert.equal(sum?.requests, charged.length, 'sums agree with entries');
    const history = await store.history({ kind: 'key', id: 'newest', limit: 1 });
    assert.deepEqual([history[0]?.version, history[0]?.after], [newest.version, newest.value]);
  } finally {
    await store.close();
  }
}
