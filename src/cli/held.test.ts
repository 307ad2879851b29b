import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Held } from './held.ts';

function opener() {
  const open = new Set<string>();
  const make = async (value: string) => {
    if (value === 'bad') throw new Error('cannot');
    if (value === 'off') return undefined;
    open.add(value);
    return { value, close: async () => open.delete(value) };
  };
  return { open, make };
}

test('an accepted value replaces the old one, which is closed', async () => {
  const { open, make } = opener();
  const held = await Held.open('a', make);
  await held.prepare('b');
  assert.equal(held.now?.value, 'a');
  assert.deepEqual([...open], ['a', 'b']);
  assert.equal(held.settle(true), true);
  assert.equal(held.now?.value, 'b');
  assert.deepEqual([...open], ['b']);
});

test('a refused value leaves all as it was', async () => {
  const { open, make } = opener();
  const held = await Held.open('a', make);
  await held.prepare('b');
  assert.equal(held.settle(false), false);
  await assert.rejects(held.prepare('bad'), /cannot/);
  assert.equal(held.settle(true), false);
  assert.equal(held.now?.value, 'a');
  assert.deepEqual([...open], ['a']);
});

test('the same value opens nothing; a value may ask for nothing', async () => {
  const { open, make } = opener();
  const held = await Held.open('a', make);
  await held.prepare('a');
  assert.equal(held.settle(true), false);
  await held.prepare('off');
  held.settle(true);
  assert.equal(held.now, undefined);
  assert.deepEqual([...open], []);
  await held.prepare('c');
  await held.close();
  assert.deepEqual([...open], [], 'what was only prepared is closed as well');
});

test('going over does not wait for the old one to close; closing does', async () => {
  let release = () => {};
  const slow = new Promise<void>((done) => {
    release = done;
  });
  let closed = 0;
  const held = await Held.open('a', async () => ({ close: () => slow.then(() => closed++) }));
  await held.prepare('b');
  assert.equal(held.settle(true), true);
  assert.equal(closed, 0);
  const end = held.close();
  release();
  await end;
  assert.equal(closed, 2);
});
