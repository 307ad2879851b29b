/** Looking into JSON that a stranger sent, and writing JSON that a schema asks for. */
import type { Dice } from './token.ts';
import { prose } from './token.ts';

/** Any JSON object. */
export type Json = Record<string, unknown>;

/** True for an object that is neither null nor an array. */
export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text in a message's content: a string, or a list of parts with `text`; images and the like count as nothing. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  let text = '';
  for (const part of content) {
    if (typeof part === 'string') text += part;
    else if (isJson(part)) text += typeof part.text === 'string' ? part.text : textOf(part.content);
  }
  return text;
}

/**
 * A value that satisfies `schema` in what models are commonly asked for: type, properties, required, enum, const,
 * anyOf/oneOf/allOf, local `$ref`, items, and the simple bounds. Optional properties are filled in too; recursion ends
 * at depth 8.
 */
export function fromSchema(schema: unknown, dice: Dice, root: unknown = schema, depth = 0): unknown {
  if (!isJson(schema) || depth > 8) return null;
  if (typeof schema.$ref === 'string') return fromSchema(follow(schema.$ref, root), dice, root, depth + 1);
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[dice.below(schema.enum.length)];
  const branches = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(branches)) return fromSchema(branches[0], dice, root, depth + 1);
  if (Array.isArray(schema.allOf)) {
    return fromSchema(Object.assign({}, ...schema.allOf.filter(isJson)), dice, root, depth + 1);
  }
  const type = Array.isArray(schema.type) ? schema.type.find((t) => t !== 'null') : schema.type;
  switch (type) {
    case 'string':
      return textFor(schema, dice);
    case 'integer':
    case 'number':
      return numberFor(schema, dice);
    case 'boolean':
      return dice.next() < 0.5;
    case 'null':
      return null;
    case 'array': {
      const least = typeof schema.minItems === 'number' ? schema.minItems : 1;
      const most = typeof schema.maxItems === 'number' ? schema.maxItems : Math.max(least, 2);
      const length = Math.min(Math.max(least, Math.min(2, most)), 64);
      return Array.from({ length }, () => fromSchema(schema.items ?? { type: 'string' }, dice, root, depth + 1));
    }
    default: {
      const properties = isJson(schema.properties) ? schema.properties : {};
      const value: Json = {};
      for (const [key, inner] of Object.entries(properties)) {
        // The deeper, the fewer optional properties: a recursive schema must come to an end.
        const needed = Array.isArray(schema.required) && schema.required.includes(key);
        if (needed || depth < 4) value[key] = fromSchema(inner, dice, root, depth + 1);
      }
      return value;
    }
  }
}

function follow(ref: string, root: unknown): unknown {
  let at: unknown = root;
  for (const step of ref.replace(/^#\/?/, '').split('/')) {
    if (step === '') continue;
    at = isJson(at) ? at[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
  }
  return at;
}

function textFor(schema: Json, dice: Dice): string {
  if (schema.format === 'date') return '2026-01-31';
  if (schema.format === 'date-time') return '2026-01-31T12:00:00Z';
  if (schema.format === 'time') return '12:00:00Z';
  if (schema.format === 'email') return 'someone@example.com';
  if (schema.format === 'uri') return 'https://example.com/';
  if (schema.format === 'uuid') return '3f2a9c1e-7b64-4d8a-9e15-0c6d2b7f4a83';
  let text = prose(3, dice);
  const least = typeof schema.minLength === 'number' ? Math.min(schema.minLength, 10_000) : 0;
  while (text.length < least) text += ` ${prose(3, dice)}`;
  return typeof schema.maxLength === 'number' ? text.slice(0, schema.maxLength) : text;
}

function numberFor(schema: Json, dice: Dice): number {
  const whole = schema.type !== 'number';
  let least = typeof schema.minimum === 'number' ? schema.minimum : Number.NEGATIVE_INFINITY;
  let most = typeof schema.maximum === 'number' ? schema.maximum : Number.POSITIVE_INFINITY;
  if (typeof schema.exclusiveMinimum === 'number') least = schema.exclusiveMinimum + (whole ? 1 : 1e-3);
  if (typeof schema.exclusiveMaximum === 'number') most = schema.exclusiveMaximum - (whole ? 1 : 1e-3);
  if (least === Number.NEGATIVE_INFINITY) least = most === Number.POSITIVE_INFINITY ? 1 : most - 9;
  if (most === Number.POSITIVE_INFINITY) most = least + 9;
  if (!whole) return least + (most - least) * dice.next();
  const value = Math.ceil(least) + dice.below(Math.max(1, Math.floor(most) - Math.ceil(least) + 1));
  const step = typeof schema.multipleOf === 'number' && schema.multipleOf > 0 ? schema.multipleOf : 1;
  return Math.max(Math.ceil(least / step) * step, Math.floor(value / step) * step);
}
