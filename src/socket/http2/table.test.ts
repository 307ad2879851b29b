import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StreamTable } from './table.ts';

type Command = { add: boolean; id: number };
const commands = fc.array(
  fc.record({
    add: fc.boolean(),
    id: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 2 ** 31 - 1 })),
  }),
  { maxLength: 400 },
);

test('does what a Map does', () => {
  fc.assert(
    fc.property(commands, (list: Command[]) => {
      const table = new StreamTable<{ id: number }>();
      const map = new Map<number, { id: number }>();
      for (const { add, id } of list) {
        if (add && !map.has(id)) {
          const stream = { id };
          table.add(stream);
          map.set(id, stream);
        } else if (!add) {
          table.delete(id);
          map.delete(id);
        }
        assert.equal(table.size, map.size);
        assert.equal(table.get(id), map.get(id));
      }
      for (const [id, stream] of map) assert.equal(table.get(id), stream);
      const order = (a: { id: number }, b: { id: number }) => a.id - b.id;
      assert.deepEqual(table.all().sort(order), [...map.values()].sort(order));
    }),
  );
});

test('streams that come and go, a few at a time, with numbers that only rise', () => {
  const table = new StreamTable<{ id: number }>();
  for (let id = 1; id < 100_000; id += 2) {
    table.add({ id });
    if (id > 16) table.delete(id - 16);
    assert.ok(table.size <= 8);
  }
  assert.deepEqual(
    table
      .all()
      .map(({ id }) => id)
      .sort((a, b) => a - b),
    [99_985, 99_987, 99_989, 99_991, 99_993, 99_995, 99_997, 99_999],
  );
});
