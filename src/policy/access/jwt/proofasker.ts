/**
 * The worker's side of the set of used proofs. What comes in one turn of the event loop goes in one question: a question
 * of its own for each would cost both processes more than all else that is done about a proof, its signature aside.
 */
import { atTurnsEnd } from '../../../kernel/clock.ts';
import type { Claimed, ProofClaim } from './replay.ts';

/** Asks the supervisor's service; as `Link.ask`. */
export type Ask = (service: string, payload: unknown, timeoutMs: number) => Promise<unknown>;

/** Name of the service. */
export const PROOFS = 'proofs';
/** A claim that takes longer is refused, in milliseconds. */
const TIMEOUT_MS = 2000;
/** Questions under way at once, and proofs in each. */
const QUESTIONS_MAX = 4;
const BATCH_MAX = 512;
/** Proofs that may wait: more only means that nobody answers. */
const WAITING_MAX = 20_000;

interface Waiting {
  claim: ProofClaim;
  done(claimed: Claimed): void;
}

/** Claims proofs one by one, and asks for many. */
export class ProofAsker {
  readonly #ask: Ask;
  #waiting: Waiting[] = [];
  #questions = 0;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Never rejects. */
  claim(claim: ProofClaim): Promise<Claimed> {
    if (this.#waiting.length >= WAITING_MAX) return Promise.resolve('unavailable');
    return new Promise((done) => {
      this.#waiting.push({ claim, done });
      if (this.#waiting.length === 1 && this.#questions < QUESTIONS_MAX) atTurnsEnd(() => this.#send());
    });
  }

  #send(): void {
    while (this.#questions < QUESTIONS_MAX && this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_MAX);
      this.#questions++;
      const end = (verdicts: unknown) => {
        this.#questions--;
        const list: readonly unknown[] = Array.isArray(verdicts) ? verdicts : [];
        batch.forEach(({ done }, i) => {
          const word = list[i];
          done(word === 'fresh' || word === 'replayed' ? word : 'unavailable');
        });
        this.#send();
      };
      const claims = batch.map(({ claim }) => claim);
      this.#ask(PROOFS, claims, TIMEOUT_MS).then(end, () => end(undefined));
    }
  }
}
