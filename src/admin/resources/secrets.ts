/** What the history may show of a document: without its secrets. Pure. */
import { KEY_KIND } from '../../policy/access/access.ts';
import { redact } from '../redact.ts';
import { ADMIN_TOKEN_KIND } from './admindocument.ts';

/** Kind → fields that are taken out, beside those whose names tell that they are secrets. */
const SECRETS: Readonly<Record<string, readonly string[]>> = {
  [KEY_KIND]: ['hash', 'pepper'],
  [ADMIN_TOKEN_KIND]: ['hash'],
  client: ['hash'],
  domain: ['key'],
};

/** A document's value as the history has it. */
export function shownInHistory(kind: string, value: unknown): unknown {
  const secrets = SECRETS[kind] ?? [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return redact(value);
  return redact(Object.fromEntries(Object.entries(value).filter(([name]) => !secrets.includes(name))));
}
