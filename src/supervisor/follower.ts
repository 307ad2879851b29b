/** A worker's copy of one kind of the directory: pages of lines in, documents out. */
import type { TopicHandler } from './asker.ts';

/** Keeps the documents of a kind in the form that requests need. */
export interface DirectoryConsumer {
  /** Everything comes anew: what is not put again until `complete` is no more. What is known holds until then. */
  begin(): void;
  put(id: string, packed: unknown): void;
  remove(id: string): void;
  complete(): void;
}

/** Turns a topic into calls of `consumer`. `failed` is told of a line that it could not take; the rest is taken. */
export function followDirectory(consumer: DirectoryConsumer, failed: (error: Error) => void): TopicHandler {
  // What changes while everything is being told is newer than what comes after it in the pages.
  let meanwhile: string[] | undefined;
  const take = (page: string) => {
    for (let from = 0; from < page.length; ) {
      const end = page.indexOf('\n', from);
      const tab = page.indexOf('\t', from);
      try {
        if (tab < 0 || tab > end) consumer.remove(JSON.parse(page.slice(from, end)) as string);
        else consumer.put(JSON.parse(page.slice(from, tab)) as string, JSON.parse(page.slice(tab + 1, end)));
      } catch (error) {
        failed(error as Error);
      }
      from = end + 1;
    }
  };
  return {
    load(page, first, last) {
      if (first) {
        meanwhile = [];
        consumer.begin();
      }
      if (typeof page === 'string') take(page);
      if (!last) return;
      for (const change of meanwhile ?? []) take(change);
      meanwhile = undefined;
      consumer.complete();
    },
    change(payload) {
      if (typeof payload !== 'string') return;
      meanwhile?.push(payload);
      take(payload);
    },
  };
}
