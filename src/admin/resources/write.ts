/** Writes what a change comes to, with its history, and tells of it. */
import { isDeepStrictEqual } from 'node:util';
import type { Author, Conflict, Document, Put, Write } from '../../store/store.ts';
import { type Answer, json, problem } from '../answer.ts';
import type { Call } from '../operation.ts';
import { redact } from '../redact.ts';
import { tagOf } from './conditions.ts';
import type { Acted, Resource, Surroundings } from './resource.ts';
import { shownDocument } from './shown.ts';
import { conflicted } from './trouble.ts';

/** How often a change is decided anew because something beside its document has changed meanwhile. */
const TRIES = 3;

/** What a change comes to. */
export interface Decided<T> extends Acted {
  /** The document that is changed or deleted; undefined: one is made. */
  readonly before: Document<T> | undefined;
}

/** Decides and writes; once more when what was decided by has changed. */
export async function commit<T>(
  resource: Resource<T>,
  call: Call,
  verb: string,
  status: number,
  decide: (around: Surroundings) => Promise<Decided<T> | Answer>,
): Promise<Answer> {
  const { handle, caller, clock } = call;
  const { documents } = handle;
  if (documents === undefined) return problem(404, 'not_found', 'This gateway keeps no documents.');
  const store = await documents.store();
  const author: Author = { who: caller.name, what: `${resource.name}.${verb}` };
  let last: Conflict | undefined;
  for (let tries = 0; tries < TRIES; tries++) {
    const now = Math.round(clock.wall());
    const decided = await decide({ store, caller, now, pepper: documents.pepper(), names: documents.names?.() });
    if ('status' in decided) return decided;
    const { before, answered } = decided;
    // The same again is no change: its version stays.
    if (
      before !== undefined &&
      answered === 0 &&
      isDeepStrictEqual(plain(decided.wanted[0]?.value), plain(before.value))
    ) {
      return json(status === 201 ? 200 : status, shownDocument(resource, before), tagOf(before.version));
    }
    const result = await store.write(stepsOf(resource, decided), author);
    if (!result.ok) {
      last = result.conflict;
      if (last.kind !== resource.kind) continue;
      return conflicted({ ...last, kind: resource.one }, before === undefined);
    }
    const wanted = decided.wanted[answered];
    tell(resource, call, author, before, decided);
    if (wanted === undefined) return { status: 204, fields: {}, body: '' };
    const made: Document<T> = {
      kind: resource.kind,
      id: wanted.id,
      version: result.version,
      updatedAt: now,
      parent: '',
      lookups: [],
      expiresAt: undefined,
      value: wanted.value as T,
    };
    const place = { Location: `/api/v1/${resource.name}/${encodeURIComponent(wanted.id)}` };
    const replaced = status === 201 && before !== undefined && answered === 0;
    return json(
      replaced ? 200 : status,
      { ...shownDocument(resource, made), ...wanted.once },
      {
        ...tagOf(result.version),
        ...(status === 201 ? place : {}),
      },
    );
  }
  return conflicted(last as Conflict, false);
}

/** As JSON has it. */
const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

function stepsOf<T>(resource: Resource<T>, { wanted, also = [], before }: Decided<T>): Write[] {
  const { kind, parentOf, lookupsOf, expiresAt } = resource;
  const puts = wanted.map(({ id, value }): Put => {
    const document = value as T;
    return {
      op: 'put',
      kind,
      id,
      value,
      expect: before?.id === id ? before.version : 0,
      parent: parentOf?.(document),
      lookups: lookupsOf?.(document),
      expiresAt: expiresAt?.(document),
    };
  });
  if (wanted.length > 0 || before === undefined) return [...puts, ...also];
  return [{ op: 'delete', kind, id: before.id, expect: before.version }, ...also];
}

/** The log has it as well, without secrets: the history is in the store only. */
function tell<T>(
  { one, shown }: Resource<T>,
  { notice }: Call,
  { who, what }: Author,
  before: Document<T> | undefined,
  { wanted }: Decided<T>,
): void {
  const text = (value: T | undefined) => (value === undefined ? 'null' : JSON.stringify(redact(shown(value))));
  const ids = new Set([...(before === undefined ? [] : [before.id]), ...wanted.map(({ id }) => id)]);
  for (const id of ids) {
    const after = wanted.find((made) => made.id === id)?.value as T | undefined;
    const was = before?.id === id ? before.value : undefined;
    notice({
      level: 'info',
      message: `${who}: ${what} ${id}`,
      attributes: { event: 'admin_change', who, what, kind: one, id, before: text(was), after: text(after) },
    });
  }
}
