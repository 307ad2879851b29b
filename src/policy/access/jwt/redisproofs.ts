/**
 * Used proofs in a Redis or Valkey that several gateways share: `SET … NX PX` for each, all of a batch in one go. A mark beside
 * them tells whether it has lost its data since: a proof that may have been used before that is not taken any more.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../kernel/clock.ts';
import type { Redis } from '../../../store/redis.ts';
import type { Claimed, ProofClaim } from './replay.ts';

/** Kept longer than needed by so much: the clocks of two gateways differ, in milliseconds. */
const CLOCKS_MS = 30_000;

/** See the file's head. */
export class RedisProofs {
  readonly #clock: Clock;
  readonly #redis: Pick<Redis, 'prefix' | 'ready' | 'send'>;
  /** From its first use on, a proof is good for so long at most, in milliseconds. */
  lifetimeMs = 0;
  /** The mark that was there last. */
  #mark: string | undefined = undefined;
  /** What runs out before then may have been used before data were lost; wall clock. */
  #lostUntil = 0;
  /** Batches that nobody answered. */
  failures = 0;

  constructor(redis: Pick<Redis, 'prefix' | 'ready' | 'send'>, clock: Clock) {
    this.#clock = clock;
    this.#redis = redis;
  }

  get ready(): boolean {
    return this.#redis.ready;
  }

  /** Claims proofs; `unavailable` for those of which nobody knows. Never rejects. */
  async claim(claims: readonly ProofClaim[]): Promise<Claimed[]> {
    const now = this.#clock.wall();
    const asked = claims.map(async ({ id, expiresAt }): Promise<Claimed> => {
      const keep = Math.max(0, Math.ceil(expiresAt - now)) + CLOCKS_MS;
      const key = `${this.#redis.prefix}dpop:${id}`;
      const word = await this.#redis.send(['SET', key, '1', 'NX', 'PX', String(keep)]);
      return word === null ? 'replayed' : 'fresh';
    });
    // Asked behind them: data that were lost before they came are missed then.
    const looked = this.#look().then(
      () => true,
      () => false,
    );
    const answers = await Promise.allSettled(asked);
    const known = await looked;
    if (!known || answers.some(({ status }) => status === 'rejected')) this.failures++;
    return answers.map((answer, i) => {
      if (answer.status === 'rejected') return 'unavailable';
      if (answer.value === 'replayed') return 'replayed';
      return known && (claims[i] as ProofClaim).expiresAt >= this.#lostUntil ? 'fresh' : 'unavailable';
    });
  }

  /** Whether the mark is that of before. Whoever misses it makes another one, which tells the others as well. */
  async #look(): Promise<void> {
    const key = `${this.#redis.prefix}dpop-mark`;
    let mark = await this.#redis.send(['GET', key]);
    if (typeof mark !== 'string') {
      await this.#redis.send(['SET', key, randomBytes(9).toString('base64url'), 'NX']);
      mark = await this.#redis.send(['GET', key]);
    }
    if (typeof mark !== 'string') throw new Error('what was written is not there');
    if (this.#mark !== undefined && mark !== this.#mark) this.#lostUntil = this.#clock.wall() + this.lifetimeMs;
    this.#mark = mark;
  }
}
