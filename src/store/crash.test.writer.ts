/** Writes without end, and says each number once it was promised to be kept. Killed by the crash tests. */
import { writeSync } from 'node:fs';
import { systemClock } from '../kernel/clock.ts';
import { openStore } from './open.ts';
import { put } from './stage.fixture.ts';

const [config = '', first = ''] = process.argv.slice(2);
const store = await openStore(JSON.parse(config), '', { clock: systemClock });
const zero = { tenant: 't', key: 'k', model: 'm', version: 'v', route: 'r' };
const counts = { inputTokens: 1, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0, cost: 1 };
for (let n = Number(first); ; n++) {
  // Three documents and a name that moves: whole or not at all.
  const parts = ['a', 'b', 'c'].map((part) => put(`${part}${n}`, n, { parent: `${n}` }));
  const result = await store.write([...parts, put('newest', n, { lookups: [`at ${n}`] })], {
    who: 'writer',
    what: 'crash',
  });
  await store.ledger.append([{ id: `${n}`, at: 1_750_000_000_000, ...zero, requests: 1, ...counts }]);
  if (!result.ok) throw new Error(JSON.stringify(result));
  writeSync(1, `${n}\n`);
}
