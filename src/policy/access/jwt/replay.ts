/**
 * Proofs that have been used, each until it would be too old anyway. One set stands in one place for all workers. It is
 * bounded, and when it is full it refuses: to forget would let a proof be used twice.
 */
import type { Clock } from '../../../kernel/clock.ts';

/** What comes of a claim: the first use, a second one, or nobody can tell. */
export type Claimed = 'fresh' | 'replayed' | 'unavailable';

/** One claim, as it travels. */
export interface ProofClaim {
  id: string;
  /** Wall clock, milliseconds since 1970. */
  expiresAt: number;
}

/** Where proofs are claimed, one verdict each, in order. Never rejects. */
export type Claims = (claims: readonly ProofClaim[]) => readonly Claimed[] | Promise<readonly Claimed[]>;

/** What runs out within so long goes together. */
const BUCKET_MS = 5000;

/** The set. */
export class ReplaySet {
  readonly #clock: Clock;
  /** Most proofs it holds. */
  most: number;
  /** By the time when all in it have run out, in units of BUCKET_MS. */
  readonly #buckets = new Map<number, Set<string>>();
  #size = 0;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes a proof in, unless it is there, or there is no room. */
  claim({ id, expiresAt }: ProofClaim): Claimed {
    this.#sweep();
    for (const bucket of this.#buckets.values()) if (bucket.has(id)) return 'replayed';
    if (this.#size >= this.most || !Number.isFinite(expiresAt)) return 'unavailable';
    const end = Math.ceil(Math.max(expiresAt, this.#clock.wall()) / BUCKET_MS) + 1;
    const bucket = this.#buckets.get(end);
    if (bucket === undefined) this.#buckets.set(end, new Set([id]));
    else bucket.add(id);
    this.#size++;
    return 'fresh';
  }

  #sweep(): void {
    const now = this.#clock.wall() / BUCKET_MS;
    // The wall clock may be set back: then what was swept too soon has expired for the checker too.
    if (Math.abs(now - this.#sweptAt) < 0.2) return;
    this.#sweptAt = now;
    for (const [end, bucket] of this.#buckets) {
      if (end > now) continue;
      this.#size -= bucket.size;
      this.#buckets.delete(end);
    }
  }
}

/**
 * Claims from the set of this node and, where one is given, from the one that all nodes share. Asked first is ours: what it
 * has seen need not travel.
 */
export function claimIn(own: ReplaySet, shared: Claims | undefined, withoutShared: 'refuse' | 'local'): Claims {
  return (claims) => {
    const verdicts = claims.map((claim) => own.claim(claim));
    const fresh = claims.filter((_, i) => verdicts[i] === 'fresh');
    if (shared === undefined || fresh.length === 0) return verdicts;
    return Promise.resolve(shared(fresh)).then((told) => {
      let at = 0;
      return verdicts.map((verdict) => {
        if (verdict !== 'fresh') return verdict;
        const word = told[at++] ?? 'unavailable';
        return word === 'unavailable' && withoutShared === 'local' ? 'fresh' : word;
      });
    });
  };
}

/** What workers send is checked: a message may come from an older program. */
export function claimsFrom(payload: unknown): ProofClaim[] {
  if (!Array.isArray(payload)) throw new Error('expected a list of proofs');
  return payload.map((one: unknown) => {
    const { id, expiresAt } = one as Partial<ProofClaim>;
    if (typeof id !== 'string' || typeof expiresAt !== 'number')
      throw new Error('expected proofs with id and expiresAt');
    return { id, expiresAt };
  });
}
