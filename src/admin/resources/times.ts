/** Times: text in the API (RFC 3339), milliseconds since 1970 in the store. */
import { z } from 'zod';

/** A time as clients write it. */
export const time = z.iso.datetime({ offset: true, error: 'expected a time such as 2027-01-31T00:00:00Z' });

/** A copy in which the fields named are text. */
export function withTimes(value: object, fields: readonly string[]): Record<string, unknown> {
  return map(value, fields, (at) => (typeof at === 'number' ? new Date(at).toISOString() : at));
}

/** A copy in which the fields named are milliseconds. */
export function withMilliseconds(value: object, fields: readonly string[]): Record<string, unknown> {
  return map(value, fields, (at) => (typeof at === 'string' ? Date.parse(at) : at));
}

function map(value: object, fields: readonly string[], change: (at: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, fields.includes(name) ? change(inner) : inner]),
  );
}
