/** Who changed what, newest first: the history of the store. */
import { z } from 'zod';
import type { HistoryPage } from '../../store/store.ts';
import { json } from '../answer.ts';
import type { Call, Operation } from '../operation.ts';
import { KEY_OWNER_KIND } from './keyowner.ts';
import { time } from './times.ts';
import { wrong } from './trouble.ts';

const MOST = 1000;

const asked = z.strictObject({
  kind: z.string().min(1).max(64).optional(),
  id: z.string().min(1).max(512).optional(),
  who: z.string().min(1).max(512).optional(),
  since: time.transform((text) => Date.parse(text)).optional(),
  until: time.transform((text) => Date.parse(text)).optional(),
  before: z.coerce.number().int().min(1).optional(),
  limit: z.coerce.number().int().min(1).max(MOST).optional(),
});

const entry = z.object({
  sequence: z.number(),
  at: time,
  who: z.string(),
  what: z.string().describe('Such as `keys.revoke`.'),
  kind: z.string(),
  id: z.string(),
  before: z.unknown().optional().describe('The document before, without secrets; left out when there was none.'),
  after: z.unknown().optional().describe('The document after it, without secrets; left out when it was deleted.'),
});

/** `GET /api/v1/changes`. */
export const history: Operation = {
  method: 'GET',
  path: '/api/v1/changes',
  what: 'lists who changed what, newest first',
  role: 'operator',
  tag: 'changes',
  query: {
    kind: 'Only documents of this kind, such as `key`.',
    id: 'Only the document of this id.',
    who: 'Only changes of this caller.',
    since: 'Not older than this time.',
    until: 'Older than this time.',
    before: 'Go on before this `sequence`: `next` of the page before.',
    limit: `At most this many, 100 when left out, ${MOST} at most.`,
  },
  answer: z.object({ items: z.array(entry), next: z.number().optional() }),
  run: list,
};

async function list({ handle, query }: Call) {
  const parsed = asked.safeParse(Object.fromEntries(query));
  if (!parsed.success) {
    return wrong(parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })));
  }
  const page: HistoryPage = { limit: 100, ...parsed.data };
  const store = await (handle.documents as NonNullable<typeof handle.documents>).store();
  const entries = await store.history(page);
  const items = entries
    .filter(({ kind }) => kind !== KEY_OWNER_KIND)
    .map(({ version: _, at, ...rest }) => ({ ...rest, at: new Date(at).toISOString() }));
  const next = entries.length === page.limit ? entries.at(-1)?.sequence : undefined;
  return json(200, next === undefined ? { items } : { items, next });
}
