/** A document of the store → what the API shows of it. Pure. */
import type { Document } from '../../store/store.ts';
import type { Resource } from './resource.ts';

/** What is shown of a document: its id, what its kind shows, its version and when it was written. */
export function shownDocument<T>(
  resource: Resource<T>,
  { id, version, updatedAt, value }: Document<T>,
): Record<string, unknown> {
  return { id, ...resource.shown(value), version: String(version), updatedAt: new Date(updatedAt).toISOString() };
}
