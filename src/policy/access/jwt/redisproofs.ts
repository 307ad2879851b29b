/** Used proofs in a Redis or Valkey that several gateways share: `SET … NX PX` for each, all of a batch in one go. */
import type { Clock } from '../../../kernel/clock.ts';
import type { Redis } from '../../../store/redis.ts';
import type { Claimed, ProofClaim } from './replay.ts';

/** Kept longer than needed by so much: the clocks of two gateways differ, in milliseconds. */
const CLOCKS_MS = 30_000;

/** See the file's head. */
export class RedisProofs {
  readonly #clock: Clock;
  readonly #redis: Redis;
  /** Batches that nobody answered. */
  failures = 0;

  constructor(redis: Redis, clock: Clock) {
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
    const answers = await Promise.allSettled(asked);
    if (answers.some(({ status }) => status === 'rejected')) this.failures++;
    return answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : 'unavailable'));
  }
}
