/** The configuration's JSON Schema (draft 2020-12), made from the same schema that validates. */
import { z } from 'zod';
import { configSchema } from './file.ts';

/** The keywords that occur in our schemas. */
export interface JsonSchema {
  $schema?: string;
  title?: string;
  description?: string;
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  enum?: (string | number | boolean | null)[];
  const?: string | number | boolean | null;
  default?: unknown;
  examples?: unknown[];
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  /** Ours: what a written unit is called (`a duration`); turned into a pattern before publication. */
  unit?: string;
}

let raw: JsonSchema | undefined;

/** As zod makes it, with our `unit` marks; for messages and documentation. Made once. */
export function rawSchema(): JsonSchema {
  raw ??= z.toJSONSchema(configSchema, { io: 'input', reused: 'inline', override: choose }) as JsonSchema;
  return raw;
}

/** One keyword for a choice: the forms of a discriminated union (`store.driver`) exclude each other anyway. */
function choose({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.oneOf === undefined) return;
  jsonSchema.anyOf = jsonSchema.oneOf;
  delete jsonSchema.oneOf;
}

/** What editors and other tools get: standard keywords only, units as patterns, `${NAME}` allowed in strings. */
export function publishedSchema(): JsonSchema {
  const { $schema, ...rest } = publish(structuredClone(rawSchema()));
  return {
    ...($schema === undefined ? {} : { $schema }),
    title: 'Gatehouse configuration',
    description: `Strings may hold \${NAME} and \${NAME:-fallback} (environment variables) or be file:PATH (the contents of a file).`,
    ...rest,
  };
}

const UNITS: Record<string, { numbers: JsonSchema; pattern: string; note: string }> = {
  'a duration': {
    numbers: { const: 0 },
    pattern: '^(0|(\\d+(\\.\\d+)?(ms|s|min|m|h|d))+)$',
    note: 'A duration: 500ms, 30s, 5m, 1h30m.',
  },
  'a size': {
    numbers: { type: 'integer', minimum: 0 },
    pattern: '^\\d+(\\.\\d+)? ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$',
    note: 'A size: 4096, 64KiB, 1MiB.',
  },
  'a percentage': { numbers: {}, pattern: '^\\d+(\\.\\d+)?%$', note: 'A percentage: 20%.' },
};

const REFERENCE = '\\$\\{|^file:|';

function publish(schema: JsonSchema): JsonSchema {
  const unit = UNITS[schema.unit ?? ''];
  delete schema.unit;
  if (unit !== undefined) {
    delete schema.type;
    schema.description = schema.description === undefined ? unit.note : `${schema.description} ${unit.note}`;
    const text: JsonSchema = { type: 'string', pattern: REFERENCE + unit.pattern };
    if (Object.keys(unit.numbers).length > 0) schema.anyOf = [text, unit.numbers];
    else Object.assign(schema, text);
    return schema;
  }
  if (schema.pattern !== undefined) schema.pattern = REFERENCE + schema.pattern;
  // zod's own format names (starts_with) are no formats of the standard; the pattern beside them says the same.
  delete schema.format;
  for (const child of Object.values(schema.properties ?? {})) publish(child);
  if (typeof schema.additionalProperties === 'object') publish(schema.additionalProperties);
  if (schema.items !== undefined) publish(schema.items);
  schema.anyOf?.forEach(publish);
  return schema;
}
