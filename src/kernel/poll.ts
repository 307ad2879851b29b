/**
 * What several are asked, so that none of them decides for the others: of those that were heard of last each has one vote, two more say
 * what holds at first, and the median counts.
 */

/** Whoever else spoke longest ago makes room. */
const ASKED = 16;
/** A change that is not worth counting again. */
const SAME = 0.02;

interface Vote {
  readonly who: string;
  value: number;
  at: number;
}

/** See the file's head. */
export class Poll {
  readonly #first: number;
  readonly #fresh: number;
  readonly #votes: Vote[] = [];
  /** What counts. */
  median: number;

  /** `first`: what holds at first. `fresh`: a vote older than that, in the units of `at`, does not count; all do when left out. */
  constructor(first: number, fresh = Number.POSITIVE_INFINITY) {
    this.#first = this.median = first;
    this.#fresh = fresh;
  }

  /** Somebody says something, at a time (or number) that never falls. */
  say(who: string, value: number, at: number): void {
    const votes = this.#votes;
    const known = votes.find((one) => one.who === who);
    if (known !== undefined) {
      known.at = at;
      if (Math.abs(known.value - value) <= known.value * SAME) return;
      known.value = value;
    } else if (votes.length < ASKED) votes.push({ who, value, at });
    else votes[this.#oldest()] = { who, value, at };
    const said = [this.#first, this.#first];
    for (const one of votes) if (at - one.at < this.#fresh) said.push(one.value);
    said.sort((a, b) => a - b);
    this.median = said[(said.length - 1) >> 1] as number;
  }

  #oldest(): number {
    let oldest = 0;
    for (let i = 1; i < ASKED; i++) if ((this.#votes[i] as Vote).at < (this.#votes[oldest] as Vote).at) oldest = i;
    return oldest;
  }
}
