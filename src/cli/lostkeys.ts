/** Keys of the store whose pepper is not in the configuration: nobody is let in by them, and nothing else would say why. */
import type { NoticeEvent } from '../kernel/event.ts';
import { isUsable, KEY_KIND, type KeyDocument, pepperName } from '../policy/access/access.ts';
import type { Store } from '../store/store.ts';

/** Peppers that were seen with keys while these were read. They are few: only where one is missing are keys looked through. */
export class LostKeys {
  readonly #seen = new Set<string>();

  /** A key's document was read. */
  saw(value: unknown): void {
    const { pepper } = (value ?? {}) as { pepper?: unknown };
    if (typeof pepper === 'string' && pepper !== '') this.#seen.add(pepper);
  }

  /** Warns of keys that are under none of the peppers. `now`: wall clock. Never rejects: nothing depends on it. */
  async warn(
    store: Pick<Store, 'scan'>,
    peppers: readonly string[],
    now: number,
    notice: (notice: NoticeEvent) => void,
  ): Promise<void> {
    const named = new Set(peppers.map(pepperName));
    if (![...this.#seen].some((name) => !named.has(name))) return;
    const counts = new Map<string, { keys: number; first: string }>();
    try {
      for await (const page of store.scan<KeyDocument>(KEY_KIND))
        for (const { id, value } of page) {
          const { pepper } = value;
          if (!pepper || named.has(pepper) || !isUsable(value, now)) continue;
          const count = counts.get(pepper);
          if (count === undefined) counts.set(pepper, { keys: 1, first: id });
          else count.keys++;
        }
    } catch {
      // What is wrong with the store is told by whoever needs it.
      return;
    }
    for (const [pepper, { keys, first }] of counts) {
      const whose =
        keys === 1 ? `the key ${first} of the store lets` : `${keys} keys of the store (such as ${first}) let`;
      const what = 'put that pepper back behind the others, or make new keys';
      notice({
        level: 'warn',
        message: `${whose} nobody in: kept under the pepper named ${pepper}, which access.pepper lacks; ${what}`,
      });
    }
  }
}
