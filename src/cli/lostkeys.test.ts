import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NoticeEvent } from '../kernel/event.ts';
import { pepperName } from '../policy/access/access.ts';
import type { Store } from '../store/store.ts';
import { LostKeys } from './lostkeys.ts';

const OLD = 'an old pepper of more than thirty-two characters';
const NEW = 'a new pepper of more than thirty-two characters';
const LONG = 'a pepper of long ago, more than thirty-two characters';
const keyOf = (id: string, pepper: string, more: object = {}) => ({
  id,
  value: { id, pepper, disabled: false, ...more },
});

test('keys under a pepper that is not configured are told of, and looked for only then', async () => {
  const documents = [
    keyOf('a', pepperName(OLD)),
    keyOf('b', pepperName(NEW)),
    keyOf('c', pepperName(OLD)),
    keyOf('d', pepperName(OLD), { disabled: true }),
    keyOf('e', pepperName(OLD), { expiresAt: 5 }),
    keyOf('f', pepperName(LONG)),
    keyOf('g', ''),
  ];
  let scans = 0;
  const store = {
    async *scan() {
      scans++;
      yield documents as never;
    },
  } as Pick<Store, 'scan'>;
  const lost = new LostKeys();
  for (const { value } of [...documents, { value: null }]) lost.saw(value);
  const told = async (...peppers: string[]) => {
    const notices: NoticeEvent[] = [];
    await lost.warn(store, peppers, 10, (one) => notices.push(one));
    return notices.map(({ message }) => message);
  };
  assert.deepEqual(await told(NEW, OLD, LONG), []);
  assert.equal(scans, 0);
  const [one, ...more] = await told(NEW, OLD);
  assert.match(one ?? '', new RegExp(`^the key f of the store lets nobody in: .*${pepperName(LONG)}`));
  assert.deepEqual(more, []);
  const [two] = await told(NEW, LONG);
  assert.match(two ?? '', /^2 keys of the store \(such as a\) let nobody in/);
  documents.length = 0;
  assert.deepEqual(await told(NEW), []);
});
