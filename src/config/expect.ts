/** What the schema wants at a place, in words: for messages about values of the wrong kind. */
import type { Path } from './problem.ts';
import type { JsonSchema } from './schema.ts';

/** The schemas that a value at `path` may follow (several where there are alternatives). */
export function schemasAt(root: JsonSchema, path: Path): JsonSchema[] {
  let here = alternatives(root);
  for (const step of path) {
    here = here.flatMap((schema) => {
      const child = typeof step === 'number' ? schema.items : (property(schema, step) ?? values(schema));
      return child === undefined ? [] : alternatives(child);
    });
  }
  return here;
}

/** A key of the file may be named as something that every object has. */
function property(schema: JsonSchema, key: string): JsonSchema | undefined {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
}

function values(schema: JsonSchema): JsonSchema | undefined {
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(alternatives);
}

/** The keys that a mapping at `path` may have. */
export function keysAt(root: JsonSchema, path: Path): string[] {
  return [...new Set(schemasAt(root, path).flatMap((schema) => Object.keys(schema.properties ?? {})))];
}

/** The fixed words that a value at `path` may be. */
export function wordsAt(root: JsonSchema, path: Path): string[] {
  return schemasAt(root, path)
    .flatMap((schema) => [...(schema.enum ?? []), ...(schema.const === undefined ? [] : [schema.const])])
    .filter((word) => typeof word === 'string');
}

/** The description of the value at `path`, its first sentence. */
export function descriptionAt(root: JsonSchema, path: Path): string | undefined {
  const parent = path.length === 0 ? [] : schemasAt(root, path.slice(0, -1));
  const last = path.at(-1);
  const texts = new Set(
    parent.map((schema) => (typeof last === 'string' ? property(schema, last)?.description : undefined)),
  );
  texts.delete(undefined);
  // Where each form of a mapping says something else of it, none of that is true of all.
  const [text] = texts.size === 1 ? texts : [];
  return text?.split(/(?<=\.) /)[0];
}

/** `a list`, `a duration, such as 30s`, `auto or a whole number from 1 to 256` … */
export function expectedAt(root: JsonSchema, path: Path): string {
  const words = [...new Set(schemasAt(root, path).flatMap(kind))];
  if (words.length < 2) return words[0] ?? 'something else';
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function kind(schema: JsonSchema): string[] {
  if (schema.unit !== undefined) return [`${schema.unit}, such as ${schema.examples?.[0]}`];
  if (schema.enum !== undefined) return schema.enum.map(String);
  if (schema.const !== undefined) return [String(schema.const)];
  switch (schema.type) {
    case 'object':
      return ['a mapping'];
    case 'array':
      return ['a list'];
    case 'boolean':
      return ['true or false'];
    case 'integer':
      return [`a whole number${range(schema)}`];
    case 'number':
      return [`a number${range(schema)}`];
    default:
      return ['a string'];
  }
}

/** ` from 1 to 256`, ` of at least 1`, or nothing. */
export function range(schema: JsonSchema): string {
  const { minimum: least, maximum: most } = schema;
  if (least !== undefined && most !== undefined && most < Number.MAX_SAFE_INTEGER) return ` from ${least} to ${most}`;
  if (least !== undefined && least > Number.MIN_SAFE_INTEGER) return ` of at least ${least}`;
  return '';
}

/** What stands there instead: `got "x"`, `got a list`, `got nothing`. */
export function got(value: unknown): string {
  if (value === null || value === undefined) return 'got nothing';
  if (Array.isArray(value)) return 'got a list';
  if (typeof value === 'object') return 'got a mapping';
  if (typeof value !== 'string') return `got ${String(value)}`;
  // A password inside an address is nobody's business.
  const said = value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^?#]*@/i, '$1…@');
  return `got ${JSON.stringify(said.length > 60 ? `${said.slice(0, 60)}…` : said)}`;
}
