import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromSchema, textOf } from './json.ts';
import { Dice } from './token.ts';

test('values satisfy their schema', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const value = fromSchema(
        {
          type: 'object',
          properties: {
            name: { type: 'string', maxLength: 10, minLength: 4 },
            count: { type: 'integer', minimum: 3, maximum: 5 },
            even: { type: 'integer', minimum: 4, maximum: 12, multipleOf: 2 },
            share: { type: 'number', minimum: 0, exclusiveMaximum: 1 },
            unit: { enum: ['celsius', 'fahrenheit'] },
            fixed: { const: 7 },
            list: { type: 'array', items: { $ref: '#/$defs/item' }, minItems: 3 },
            maybe: { type: ['null', 'boolean'] },
            either: { anyOf: [{ type: 'boolean' }, { type: 'string' }] },
            day: { type: 'string', format: 'date' },
          },
          required: ['name'],
          $defs: { item: { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] } },
        },
        new Dice(seed),
      ) as Record<string, never>;
      const v = value as Record<string, unknown>;
      assert.ok((v.name as string).length >= 4 && (v.name as string).length <= 10);
      assert.ok([3, 4, 5].includes(v.count as number));
      assert.ok([4, 6, 8, 10, 12].includes(v.even as number));
      assert.ok((v.share as number) >= 0 && (v.share as number) < 1);
      assert.ok(['celsius', 'fahrenheit'].includes(v.unit as string));
      assert.equal(v.fixed, 7);
      assert.equal((v.list as unknown[]).length, 3);
      for (const item of v.list as { id: unknown }[]) assert.ok(Number.isInteger(item.id));
      assert.equal(typeof v.maybe, 'boolean');
      assert.equal(typeof v.either, 'boolean');
      assert.equal(v.day, '2026-01-31');
    }),
  );
});

test('a schema that contains itself comes to an end', () => {
  const schema = { type: 'object', properties: { next: { $ref: '#' }, n: { type: 'integer' } }, required: ['n'] };
  assert.ok(JSON.stringify(fromSchema(schema, new Dice(1))).length < 1000);
});

test('any JSON as schema gives some JSON', () => {
  fc.assert(fc.property(fc.jsonValue(), (schema) => void JSON.stringify(fromSchema(schema, new Dice(1)))));
});

test('text of messages', () => {
  assert.equal(textOf('a'), 'a');
  assert.equal(textOf([{ type: 'text', text: 'a' }, { type: 'image_url' }, { type: 'input_text', text: 'b' }]), 'ab');
  assert.equal(textOf([{ type: 'tool_result', content: [{ type: 'text', text: 'c' }] }]), 'c');
  assert.equal(textOf(null), '');
});
