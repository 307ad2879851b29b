/**
 * What the first token takes at rest, by the size of the prompt: a server reads a prompt before it answers, so a long one waits longer
 * by itself. Sizes are told apart by powers of two, and each request is compared with its like.
 */

/** Sizes that are told apart: up to 1 KiB, 2 KiB, 4 KiB … 2 MiB, and more. */
const CLASSES = 13;
/** Samples of one size that make a measurement of their own; fewer follow the others. */
const ENOUGH = 5;
/** Weight of a new measurement, which is as noisy as the one before; and of a window that was at rest by chance. */
const NEW = 0.5;
const DRIFT = 0.1;
/** A measurement so many times off is no noise: the server is another. */
const OTHER = 2;
/** No time is shorter, in milliseconds: divided by it must remain a number. */
const LEAST_MS = 0.01;

/** How large a prompt of so many bytes is; a number below `CLASSES`. */
export function sizeClass(bytes: number): number {
  return bytes < 1024 ? 0 : Math.min(CLASSES - 1, 22 - Math.clz32(Math.min(bytes, 2 ** 30)));
}

/** The middle one of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.max(LEAST_MS, sorted[sorted.length >> 1] ?? LEAST_MS);
}

/** See the file's head. Times in milliseconds, beside each its size. */
export class RestTimes {
  /** 0: not known. */
  readonly #rest = new Float64Array(CLASSES);

  /** How many times what they take at rest these took, in the middle; and whether what they take at rest is known. */
  compare(times: readonly number[], sizes: readonly number[]): { ratio: number; known: boolean } {
    if (times.length === 0) return { ratio: 1, known: true };
    const known = this.#ratios(times, sizes);
    const ratio = known.length === 0 ? 1 : median(known);
    // As slow as the others are now, it must be that much faster at rest.
    for (const [size, own] of bySize(times, sizes))
      if (this.#rest[size] === 0) this.#rest[size] = median(own) / Math.max(1, ratio);
    return { ratio, known: known.length * 2 >= times.length };
  }

  /** These were taken at rest. */
  measured(times: readonly number[], sizes: readonly number[]): void {
    this.#learn(times, sizes, NEW);
  }

  /** These were taken while there was little to do. */
  drift(times: readonly number[], sizes: readonly number[]): void {
    this.#learn(times, sizes, DRIFT);
  }

  /** All of it was so many times what it is. */
  scale(by: number): void {
    for (let size = 0; size < CLASSES; size++) this.#rest[size] = (this.#rest[size] as number) * by;
  }

  #learn(times: readonly number[], sizes: readonly number[], weight: number): void {
    const known = this.#ratios(times, sizes);
    const others = known.length === 0 ? 1 : median(known);
    const measured = new Map<number, number>();
    for (const [size, own] of bySize(times, sizes)) if (own.length >= ENOUGH) measured.set(size, median(own));
    for (let size = 0; size < CLASSES; size++) {
      const before = this.#rest[size] as number;
      const now = measured.get(size) ?? before * others;
      const apart = now > before * OTHER || now * OTHER < before;
      this.#rest[size] = before === 0 || (weight === NEW && apart) ? now : before + (now - before) * weight;
    }
  }

  #ratios(times: readonly number[], sizes: readonly number[]): number[] {
    const ratios: number[] = [];
    for (let i = 0; i < times.length; i++) {
      const rest = this.#rest[sizes[i] as number] as number;
      if (rest > 0) ratios.push(Math.max(LEAST_MS, times[i] as number) / rest);
    }
    return ratios;
  }
}

function bySize(times: readonly number[], sizes: readonly number[]): Map<number, number[]> {
  const all = new Map<number, number[]>();
  for (let i = 0; i < times.length; i++) {
    const size = sizes[i] as number;
    const own = all.get(size);
    if (own === undefined) all.set(size, [times[i] as number]);
    else own.push(times[i] as number);
  }
  return all;
}
