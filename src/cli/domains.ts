/** Documents of kind `domain` in the store, told to the keeper of certificates: all at the start, then each change. */
import { type DomainDocumentChange, domainDocument } from '../certificate/domain.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Store } from '../store/store.ts';

const KIND = 'domain';
/** After a failure, and between two looks at a store that has said nothing. */
const RETRY_MS = 2000;
const LOOK_MS = 15_000;

/** Follows the store until the function that it returns is called. Rejects when the store cannot be read at the start. */
export async function followDomains(
  store: Pick<Store, 'scan' | 'revision' | 'changesSince' | 'watch'>,
  clock: Clock,
  tell: (changes: DomainDocumentChange[]) => void,
  notice: (notice: NoticeEvent) => void,
): Promise<() => void> {
  const known = new Set<string>();
  const changeOf = (id: string, value: unknown): DomainDocumentChange[] => {
    if (value === undefined) {
      known.delete(id);
      return [{ id, document: undefined }];
    }
    const parsed = domainDocument.safeParse(value);
    if (parsed.success) {
      known.add(id);
      return [{ id, document: parsed.data }];
    }
    notice({ level: 'error', message: `the domain ${id} cannot be served: ${parsed.error.issues[0]?.message}` });
    return [];
  };
  const load = async (): Promise<number> => {
    const revision = await store.revision();
    const gone = new Set(known);
    for await (const page of store.scan(KIND)) {
      for (const { id } of page) gone.delete(id);
      tell(page.flatMap(({ id, value }) => changeOf(id, value)));
    }
    tell([...gone].flatMap((id) => changeOf(id, undefined)));
    return revision;
  };
  let revision = await load();
  let busy = false;
  let again = false;
  let closed = false;
  let retry: Timer | undefined;
  const look = async (): Promise<void> => {
    again = true;
    if (busy || closed) return;
    busy = true;
    try {
      while (again && !closed) {
        again = false;
        const news = await store.changesSince(revision);
        if (news.reset) revision = await load();
        else {
          const mine = news.changes.filter(({ kind }) => kind === KIND);
          if (mine.length > 0) tell(mine.flatMap(({ id, document }) => changeOf(id, document?.value)));
          revision = news.revision;
          again ||= news.more;
        }
      }
    } catch {
      // The directory, which reads the same store, tells that it is away.
      retry?.cancel();
      retry = clock.after(RETRY_MS, () => void look());
    }
    busy = false;
  };
  const stop = store.watch(() => void look());
  const looking = clock.every(LOOK_MS, () => void look());
  void look();
  return () => {
    closed = true;
    stop();
    looking.cancel();
    retry?.cancel();
  };
}
