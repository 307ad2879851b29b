/** A kind of documents → the operations of the API on it. */
import { z } from 'zod';
import type { Document, Page, Store } from '../../store/store.ts';
import { type Answer, json, problem } from '../answer.ts';
import { readJson } from '../change.ts';
import type { Call, Operation } from '../operation.ts';
import { ifMatch, mergePatch, tagOf } from './conditions.ts';
import type { Resource, Surroundings } from './resource.ts';
import { shownDocument } from './shown.ts';
import { changed, limitOf, wrong, wrongBySchema } from './trouble.ts';
import { commit } from './write.ts';

const MOST = 1000;
const USUAL = 100;

const JSON_TYPES = ['application/json'];
const PATCH_TYPES = ['application/merge-patch+json', 'application/json'];
/** `.` and `..` would be steps in the paths that name it. */
const ID = z
  .string()
  .min(1)
  .max(256)
  .regex(/^(?!\.{1,2}$)/);
/** Fields that every answer has. */
const COMMON = ['id', 'version', 'updatedAt'];

/** The operations on a kind of documents. */
export function operationsOf<T>(resource: Resource<T>): Operation[] {
  const { name, one, reads, writes, tenants } = resource;
  const base = `/api/v1/${name}`;
  const single = `${base}/{id}`;
  const read = { role: reads, tenants, tag: name } as const;
  const write = { role: writes, tenants, tag: name } as const;
  const shape = z.object({ id: z.string(), ...shapeOf(resource.answer), version: z.string(), updatedAt: z.string() });
  const made = resource.onceShown === undefined ? shape : shape.extend(shapeOf(resource.onceShown));
  const order = z.strictObject({
    id: (resource.ids === 'chosen' ? ID : ID.optional()).describe('Its id.'),
    ...shapeOf(resource.order),
  });
  const change = resource.change ?? resource.order;
  const operations: Operation[] = [
    {
      ...read,
      method: 'GET',
      path: base,
      what: `lists ${name}, by id`,
      query: {
        ...(resource.parentOf === undefined ? {} : { tenant: 'Only those of this tenant.' }),
        after: 'Go on after this id: `next` of the page before.',
        limit: `At most this many, ${USUAL} when left out, ${MOST} at most.`,
      },
      answer: z.object({ items: z.array(shape), next: z.string().optional() }),
      run: (call) => list(resource, call),
    },
    {
      ...write,
      method: 'POST',
      path: base,
      what: `makes one ${one}`,
      body: order,
      status: 201,
      answer: made,
      run: async (call) => {
        const body = await documentOf(call, JSON_TYPES);
        return 'status' in body ? body : create(resource, call, body.value, resource.replaces === true);
      },
    },
    {
      ...read,
      method: 'GET',
      path: single,
      what: `shows one ${one}`,
      answer: shape,
      run: async (call) => {
        const found = await find(resource, call);
        if ('status' in found) return found;
        const more = await resource.more?.(found.store, found.document);
        return json(200, { ...shownDocument(resource, found.document), ...more }, tagOf(found.document.version));
      },
    },
    {
      ...write,
      method: 'PUT',
      path: single,
      what: `replaces one ${one}; with If-None-Match: * it makes it`,
      body: change,
      versioned: true,
      answer: shape,
      run: async (call) => {
        const body = await documentOf(call, JSON_TYPES);
        if ('status' in body) return body;
        if (call.request.headers['if-none-match'] === '*') {
          return create(resource, call, { ...body.value, id: call.params.id }, false);
        }
        return replace(resource, call, () => body.value);
      },
    },
    {
      ...write,
      method: 'PATCH',
      path: single,
      what: `changes one ${one} by a merge patch (RFC 7396)`,
      body: change,
      bodyTypes: PATCH_TYPES,
      versioned: true,
      answer: shape,
      run: async (call) => {
        const body = await documentOf(call, PATCH_TYPES);
        if ('status' in body) return body;
        return replace(resource, call, (shown) => mergePatch(shown, body.value) as Record<string, unknown>);
      },
    },
    {
      ...write,
      method: 'DELETE',
      path: single,
      what: `deletes one ${one}`,
      versioned: true,
      status: 204,
      run: (call) => remove(resource, call),
    },
  ];
  for (const action of resource.actions ?? []) {
    operations.push({
      ...write,
      method: 'POST',
      path: `${single}/${action.name}`,
      what: action.what,
      body: action.order,
      versioned: action.unconditional !== true,
      status: action.status ?? 200,
      answer: action.status === 201 ? made : shape,
      run: async (call) => {
        const body = await documentOf(call, JSON_TYPES, true);
        if ('status' in body) return body;
        const parsed = action.order.safeParse(body.value);
        if (!parsed.success) return wrongBySchema(parsed.error);
        const act = async (around: Surroundings) => {
          const found = await find(resource, call);
          if ('status' in found) return found;
          const differs = matched(resource, call, found.document, action.unconditional === true);
          if (differs !== undefined) return differs;
          const acted = await action.run(found.document, parsed.data as never, around);
          if ('status' in acted) return acted;
          return { ...acted, before: found.document };
        };
        return commit(resource, call, action.name, action.status ?? 200, act);
      },
    });
  }
  return operations;
}

async function list<T>(resource: Resource<T>, { handle, caller, query }: Call): Promise<Answer> {
  const store = await (handle.documents as NonNullable<typeof handle.documents>).store();
  const limit = limitOf(query, USUAL, MOST);
  if (typeof limit !== 'number') return limit;
  const tenant = caller.tenant || (query.get('tenant') ?? undefined);
  const page: Page = { limit, after: query.get('after') ?? undefined, parent: tenant };
  const { documents, next } = await store.list<T>(resource.kind, page);
  const items = documents.map((one) => shownDocument(resource, one));
  return json(200, next === undefined ? { items } : { items, next });
}

/** The one of the path. One of another tenant is not there. */
async function find<T>(
  { kind, one }: Resource<T>,
  { handle, params, caller }: Call,
): Promise<{ store: Store; document: Document<T> } | Answer> {
  const store = await (handle.documents as NonNullable<typeof handle.documents>).store();
  const document = await store.get<T>(kind, params.id as string);
  if (document === undefined || (caller.tenant !== '' && document.parent !== caller.tenant)) {
    return problem(404, 'not_found', `There is no ${one} ${JSON.stringify(params.id)}.`);
  }
  return { store, document };
}

/** What keeps a change from being made: no version was said, or another one. */
function matched(resource: Resource, { request }: Call, { id, version }: Document, free: boolean): Answer | undefined {
  const asked = ifMatch(request.headers['if-match']);
  if (asked === undefined) {
    if (free) return undefined;
    const detail = `Say which version you have read: If-Match: "${version}" (its ETag). Otherwise the change of somebody else could be lost.`;
    return problem(428, 'if_match_required', detail);
  }
  if (asked === 'any' || asked.includes(version)) return undefined;
  return changed(`The ${resource.one} ${id}`, version);
}

async function create<T>(
  resource: Resource<T>,
  call: Call,
  body: Record<string, unknown>,
  replaces: boolean,
): Promise<Answer> {
  const { tenant } = call.caller;
  if (tenant !== '' && body.tenant !== undefined && body.tenant !== tenant) {
    return problem(403, 'forbidden', `You may manage the ${resource.name} of ${tenant} only.`);
  }
  // That a name is taken would tell of keys of others.
  if (tenant !== '' && body.id !== undefined && resource.ids === 'optional') {
    return problem(
      403,
      'forbidden',
      `A caller of one tenant does not choose the id of a ${resource.one}: leave it out.`,
    );
  }
  const { id: given, ...sent } = tenant === '' ? body : { ...body, tenant };
  const id = (resource.ids === 'chosen' ? ID : ID.optional()).safeParse(given);
  const parsed = resource.order.safeParse(sent);
  if (!id.success)
    return wrong([{ path: 'id', message: 'expected an id of 1 to 256 characters, and neither . nor ..' }]);
  if (!parsed.success) return wrongBySchema(parsed.error);
  const order = resource.asSent === true ? sent : parsed.data;
  return commit(resource, call, 'create', 201, async (around) => {
    const wanted = await resource.make(id.data, order as never, around);
    if ('status' in wanted) return wanted;
    const before = replaces ? await around.store.get<T>(resource.kind, wanted.id) : undefined;
    return { wanted: [wanted], answered: 0, before, ...(wanted.also === undefined ? {} : { also: wanted.also }) };
  });
}

async function replace<T>(
  resource: Resource<T>,
  call: Call,
  next: (shown: Record<string, unknown>) => Record<string, unknown>,
): Promise<Answer> {
  return commit(resource, call, 'change', 200, async (around) => {
    const found = await find(resource, call);
    if ('status' in found) return found;
    const { document } = found;
    const differs = matched(resource, call, document, false);
    if (differs !== undefined) return differs;
    const shown = shownDocument(resource, document);
    const all = next(shown);
    const sent: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(all)) {
      if (!COMMON.includes(name) && !resource.fixed.includes(name)) sent[name] = value;
      else if (name !== 'lastUsedAt' && name in shown && JSON.stringify(value) !== JSON.stringify(shown[name])) {
        return wrong([{ path: name, message: `never changes: it is ${JSON.stringify(shown[name])}` }]);
      }
    }
    const whole = resource.restored?.(sent, document.value) ?? sent;
    const parsed = (resource.change ?? resource.order).safeParse(whole);
    if (!parsed.success) return wrongBySchema(parsed.error);
    const change = resource.asSent === true ? whole : parsed.data;
    const wanted = await resource.changed(document, change as never, around);
    if ('status' in wanted) return wanted;
    return {
      wanted: [wanted],
      answered: 0,
      before: document,
      ...(wanted.also === undefined ? {} : { also: wanted.also }),
    };
  });
}

async function remove<T>(resource: Resource<T>, call: Call): Promise<Answer> {
  return commit(resource, call, 'delete', 204, async (around) => {
    const found = await find(resource, call);
    if ('status' in found) return found;
    const differs = matched(resource, call, found.document, false);
    if (differs !== undefined) return differs;
    const also = (await resource.gone?.(found.document, around)) ?? [];
    if ('status' in also) return also;
    return { wanted: [], also, answered: -1, before: found.document };
  });
}

async function documentOf(
  { request }: Call,
  types: readonly string[],
  mayBeEmpty = false,
): Promise<{ value: Record<string, unknown> } | Answer> {
  const type = /^[^;\s]*/.exec(request.headers['content-type'] ?? '')?.[0]?.toLowerCase() ?? '';
  const empty =
    request.headers['content-length'] === '0' ||
    (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined);
  if (mayBeEmpty && empty) return { value: {} };
  if (!types.includes(type)) {
    return problem(415, 'unsupported_media_type', `Send a JSON document with Content-Type: ${types[0]}.`);
  }
  const read = await readJson(request);
  if (!read.ok)
    return problem(read.tooLarge ? 413 : 400, read.tooLarge ? 'too_large' : 'invalid', `${read.problems.join('; ')}.`);
  if (typeof read.value !== 'object' || read.value === null || Array.isArray(read.value)) {
    return wrong([{ path: '', message: 'expected a JSON object' }]);
  }
  return { value: read.value as Record<string, unknown> };
}

/** Fields of an object schema, whatever it is wrapped in. */
function shapeOf(schema: z.ZodType): Record<string, z.ZodType> {
  return schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>) : {};
}
