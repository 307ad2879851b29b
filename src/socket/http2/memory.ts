/** Streams that were reset a moment ago: what the peer had sent before it knew is let pass (RFC 9113 §5.1). */

const KEPT = 256;

/** The last few, oldest forgotten first. */
export class ResetMemory {
  readonly #ids = new Set<number>();

  add(id: number): void {
    this.#ids.add(id);
    if (this.#ids.size <= KEPT) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }

  has(id: number): boolean {
    return this.#ids.has(id);
  }
}
