import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import type { Identity } from '../../kernel/identity.ts';
import { ApiKeys } from './apikeys.ts';
import { isIdentity } from './authenticator.ts';
import { keyConsumer } from './directory.ts';
import { type KeyDocument, keyDocument } from './document.ts';
import { digestKey } from './pepper.ts';
import { KeyTable } from './table.ts';
import { UsedKeys } from './used.ts';

const PEPPER = 'a pepper of more than thirty-two characters';
const OF_FILE = 'the-key-of-the-configuration';
const OF_STORE = 'the-key-of-the-store-that-is-older';
const exchange = { inbound: { clientAddress: '192.0.2.1' } } as Exchange;

const documentOf = (id: string, text: string, more: Partial<KeyDocument>): KeyDocument =>
  keyDocument.parse({ id, hash: digestKey(PEPPER, text).toString('base64url'), principal: id, createdAt: 1, ...more });

const declared = documentOf('alice', OF_FILE, { tenant: 'acme', roles: ['ops'] });
const stored = documentOf('alice', OF_STORE, { principal: 'mallory', tenant: 'evil' });

test('an id of a key of the configuration stands for nobody else', () => {
  const clock = new ManualClock();
  const table = new KeyTable();
  const news: string[] = [];
  const consumer = keyConsumer(table, { ended: (id) => news.push(`ended ${id}`), usable: () => {} });
  consumer.begin();
  consumer.put('alice', stored);
  consumer.complete();
  const used = new UsedKeys(clock, async () => {});
  const make = (keys: KeyDocument[]) =>
    new ApiKeys({ clock, peppers: [PEPPER], declared: keys, table, remembered: 10, used });
  const saw = (keys: ApiKeys, text: string) => keys.authenticate('bearer', text, exchange) as Identity;

  const before = make([]);
  const mallory = saw(before, OF_STORE);
  assert.ok(isIdentity(mallory));
  assert.equal(mallory.principal, 'mallory');
  assert.equal(before.takenBack(mallory), false);

  const after = make([declared]);
  const alice = saw(after, OF_FILE);
  assert.deepEqual([alice.principal, alice.tenant], ['alice', 'acme']);
  assert.ok(!isIdentity(saw(after, OF_STORE)));
  assert.equal(after.takenBack(mallory), true, 'what it began ends');
  assert.equal(after.takenBack(alice), false);
  consumer.put('alice', { ...stored, disabled: true });
  consumer.remove('alice');
  assert.deepEqual(news, [], 'tokens of the other one go on');
  assert.equal(after.takenBack(alice), false);

  const again = make([]);
  assert.equal(again.takenBack(alice), true);
});
