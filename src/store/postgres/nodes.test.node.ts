/** Another node: answers each `ping` that it hears of with a `pong` of the same value. */
import { systemClock } from '../../kernel/clock.ts';
import { openStore } from '../open.ts';
import { put } from '../stage.fixture.ts';

const store = await openStore(JSON.parse(process.argv[2] ?? ''), '', { clock: systemClock });
let at = await store.revision();
store.watch(async () => {
  const { changes, revision } = await store.changesSince(at);
  at = revision;
  for (const { id, document } of changes) if (id === 'ping') await store.write([put('pong', document?.value)]);
});
process.send?.('ready');
