/**
 * A weighted split that is exact over any 1,000 picks in a row, not on average.
 *
 * A table of 1,000 slots is walked round and round, so any 1,000 picks in a row are each slot once. Each version has
 * `floor(1000 × share)` slots of its own, spread by smooth weighted round robin. Where shares do not come to whole
 * thousandths, the few slots left over go from round to round to those that are owed most (largest remainder, carried
 * on). From one round to the next a version gains or loses at most one slot, so any 1,000 picks still deviate from its
 * share by less than one, the long run is exact, and a version with less than a thousandth has its turn.
 */

/** Slots in a round. */
const SLOTS = 1000;

/** The split's state; a pick costs one array read. */
export class Split {
  readonly #slots = new Uint16Array(SLOTS);
  #cursor: number;
  #given: number[] = [];
  #weights: number[] = [];
  #total = 0;
  /** Positions of the left-over slots, and who holds each. */
  #extra: number[] = [];
  #holders: number[] = [];
  /** What each is owed, in units of 1/(1000 × total). */
  #credit: number[] = [];

  /** `weights`: not negative, at least one above 0. `start`: a number in [0, 1), where in the round to begin. */
  constructor(weights: readonly number[], start: number) {
    this.#cursor = Math.floor(start * SLOTS);
    this.set(weights);
  }

  /** Moves the weights; the walk goes on where it is, so moving them often favours nobody. */
  set(weights: readonly number[]): void {
    if (weights.length === this.#given.length && weights.every((weight, i) => weight === this.#given[i])) return;
    this.#given = [...weights];
    // Whole numbers, so that remainders are exact.
    const whole = weights.every(Number.isInteger);
    this.#weights = whole ? this.#given : weights.map((weight) => (weight > 0 ? Math.ceil(weight * 1e6) : 0));
    this.#total = this.#weights.reduce((sum, weight) => sum + weight, 0);
    const own = this.#weights.map((weight) => Math.floor((SLOTS * weight) / this.#total));
    const left = SLOTS - own.reduce((sum, count) => sum + count, 0);
    this.#extra = [];
    spread([...own, left], (slot, item) => {
      if (item < weights.length) this.#slots[slot] = item;
      else this.#extra.push(slot);
    });
    this.#holders = this.#extra.map(() => -1);
    this.#credit = weights.map(() => 0);
    this.#assignExtra();
  }

  /** The index whose turn it is. */
  next(): number {
    if (this.#cursor === SLOTS) {
      this.#cursor = 0;
      if (this.#extra.length > 0) this.#assignExtra();
    }
    return this.#slots[this.#cursor++] as number;
  }

  /** Gives the left-over slots of the next round to those owed most; who keeps one keeps its place. */
  #assignExtra(): void {
    if (this.#extra.length === 0) return;
    const credit = this.#credit;
    for (const [i, weight] of this.#weights.entries()) credit[i] = (credit[i] ?? 0) + ((SLOTS * weight) % this.#total);
    const owed = credit
      .map((_, i) => i)
      .filter((i) => (SLOTS * (this.#weights[i] ?? 0)) % this.#total !== 0)
      .sort((a, b) => (credit[b] ?? 0) - (credit[a] ?? 0) || a - b)
      .slice(0, this.#extra.length);
    for (const i of owed) credit[i] = (credit[i] ?? 0) - this.#total;
    const incoming = owed.filter((i) => !this.#holders.includes(i));
    for (const [e, slot] of this.#extra.entries()) {
      const holder = this.#holders[e] as number;
      const next = owed.includes(holder) ? holder : (incoming.shift() ?? holder);
      this.#holders[e] = next;
      this.#slots[slot] = next;
    }
  }
}

/** Spreads `counts[i]` places for each item i evenly over their sum (nginx's smooth weighted round robin). */
function spread(counts: readonly number[], place: (slot: number, item: number) => void): void {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const current = counts.map(() => 0);
  for (let slot = 0; slot < total; slot++) {
    let best = -1;
    for (const [i, count] of counts.entries()) {
      const value = (current[i] ?? 0) + count;
      current[i] = value;
      if (count > 0 && (best < 0 || value > (current[best] ?? 0))) best = i;
    }
    current[best] = (current[best] ?? 0) - total;
    place(slot, best);
  }
}
