/**
 * The paths of one host, looked up without allocating: a hash map for exact paths, a rolling hash over the prefixes of
 * the path for prefix rules, a trie of segments for patterns.
 */
import type { RequestHead } from '../kernel/exchange.ts';
import { headPasses, modelPasses } from './condition.ts';
import type { Entry } from './order.ts';
import { SEGMENTS_MAX } from './pattern.ts';

const SLASH = 0x2f;
const FNV_PRIME = 0x01000193;
/** Keeps hashes small integers, which the engine holds without allocating. */
const SMALL = 0x3fffffff;

/** Something found by hash; `text` tells collisions apart. */
interface Slot<T> {
  readonly text: string;
  readonly value: T;
  next: Slot<T> | undefined;
}

interface Node {
  readonly literals: Map<number, Slot<Node>>;
  variable: Node | undefined;
  readonly end: Entry[];
  readonly endSlash: Entry[];
  /** Rules that end in `/*` here. */
  readonly tail: Entry[];
}

const newNode = (): Node => ({ literals: new Map(), variable: undefined, end: [], endSlash: [], tail: [] });

function hashRange(text: string, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash & SMALL;
}

function slotFor<T>(map: Map<number, Slot<T>>, text: string, make: () => T): T {
  const hash = hashRange(text, 0, text.length);
  for (let slot = map.get(hash); slot; slot = slot.next) if (slot.text === text) return slot.value;
  const slot = { text, value: make(), next: map.get(hash) };
  map.set(hash, slot);
  return slot.value;
}

// Scratch space of one look-up, shared by all indexes: nothing here waits or re-enters.
const boundaries = new Int32Array(SEGMENTS_MAX + 1);
const hashes = new Int32Array(SEGMENTS_MAX + 1);

/** Whether the entry's conditions hold; `anyModel`: leave the model's out. */
export function entryPasses(entry: Entry, head: RequestHead, model: string | undefined, anyModel: boolean): boolean {
  const conditions = entry.route.conditions;
  if (conditions.count === 0) return true;
  return (
    headPasses(conditions, head) && (anyModel || conditions.model === undefined || modelPasses(conditions.model, model))
  );
}

/** The entries of one host rule, by path. */
export class PathIndex {
  readonly #exact = new Map<string, Entry[]>();
  readonly #prefixes = new Map<number, Slot<Entry[]>>();
  #longestPrefix = -1;
  #patterns: Node | undefined;
  readonly #any: Entry[] = [];
  #best: Entry | undefined;

  /** Adds an entry; must be called in the order of rank. */
  add(entry: Entry): void {
    const { path } = entry;
    if (path.kind === 'any') this.#any.push(entry);
    else if (path.kind === 'exact') {
      const list = this.#exact.get(path.literal);
      if (list) list.push(entry);
      else this.#exact.set(path.literal, [entry]);
    } else if (path.literals === path.segments.length) {
      slotFor<Entry[]>(this.#prefixes, path.literal, () => []).push(entry);
      this.#longestPrefix = Math.max(this.#longestPrefix, path.literal.length);
    } else {
      this.#patterns ??= newNode();
      let node = this.#patterns;
      for (const segment of path.segments) {
        if (segment === undefined) {
          node.variable ??= newNode();
          node = node.variable;
        } else node = slotFor(node.literals, segment, newNode);
      }
      if (path.kind === 'prefix') node.tail.push(entry);
      else if (path.slash) node.endSlash.push(entry);
      else node.end.push(entry);
    }
  }

  /** The first entry in order whose path and conditions hold. `path` is canonical. */
  find(path: string, head: RequestHead, model: string | undefined, anyModel: boolean): Entry | undefined {
    const exact = this.#exact.get(path);
    if (exact !== undefined) {
      for (let i = 0; i < exact.length; i++) {
        const entry = exact[i] as Entry;
        if (entryPasses(entry, head, model, anyModel)) return entry;
      }
    }
    if (path.charCodeAt(0) === SLASH) {
      this.#best = undefined;
      if (this.#patterns !== undefined) this.#walk(this.#patterns, path, 0, head, model, anyModel);
      if (this.#longestPrefix >= 0) this.#findPrefix(path, head, model, anyModel);
      if (this.#best !== undefined) return this.#best;
    }
    for (let i = 0; i < this.#any.length; i++) {
      const entry = this.#any[i] as Entry;
      if (entryPasses(entry, head, model, anyModel)) return entry;
    }
    return undefined;
  }

  #consider(list: Entry[], head: RequestHead, model: string | undefined, anyModel: boolean): void {
    for (let i = 0; i < list.length; i++) {
      const entry = list[i] as Entry;
      if (this.#best !== undefined && this.#best.rank < entry.rank) return;
      if (entryPasses(entry, head, model, anyModel)) {
        this.#best = entry;
        return;
      }
    }
  }

  #findPrefix(path: string, head: RequestHead, model: string | undefined, anyModel: boolean): void {
    // Hash the path once; note the hash at each place where a prefix rule may end.
    const end = Math.min(path.length, this.#longestPrefix);
    let count = 0;
    let hash = 0;
    let i = 0;
    for (; i < end; i++) {
      const c = path.charCodeAt(i);
      if (c === SLASH) {
        if (count === SEGMENTS_MAX) break;
        boundaries[count] = i;
        hashes[count++] = hash;
      }
      hash = Math.imul(hash ^ c, FNV_PRIME);
    }
    if (i === end && (i === path.length || path.charCodeAt(i) === SLASH)) {
      boundaries[count] = i;
      hashes[count++] = hash;
    }
    while (count-- > 0) {
      const length = boundaries[count] as number;
      let slot = this.#prefixes.get((hashes[count] as number) & SMALL);
      for (; slot !== undefined; slot = slot.next) {
        if (slot.text.length !== length || !path.startsWith(slot.text)) continue;
        const before = this.#best;
        this.#consider(slot.value, head, model, anyModel);
        // Shorter prefixes come later in the order.
        if (this.#best !== before) return;
        break;
      }
    }
  }

  /** `at`: index of the slash before the next segment, or the end of the path. */
  #walk(node: Node, path: string, at: number, head: RequestHead, model: string | undefined, anyModel: boolean): void {
    if (node.tail.length > 0) this.#consider(node.tail, head, model, anyModel);
    if (at >= path.length - 1) {
      this.#consider(at === path.length ? node.end : node.endSlash, head, model, anyModel);
      return;
    }
    const start = at + 1;
    const slash = path.indexOf('/', start);
    const end = slash < 0 ? path.length : slash;
    let slot = node.literals.size === 0 ? undefined : node.literals.get(hashRange(path, start, end));
    for (; slot !== undefined; slot = slot.next) {
      if (slot.text.length === end - start && path.startsWith(slot.text, start)) {
        this.#walk(slot.value, path, end, head, model, anyModel);
        break;
      }
    }
    if (node.variable !== undefined) this.#walk(node.variable, path, end, head, model, anyModel);
  }
}
