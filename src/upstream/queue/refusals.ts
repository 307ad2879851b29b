/**
 * What the authority has just refused, for what is alike to be refused without asking: where more comes than can wait, most of it is refused, and that is to
 * cost little.
 */
import type { QueueAnswer } from './message.ts';

type Refused = Extract<QueueAnswer, { type: 'refused' }>;

/** What was refused is refused for so long, in milliseconds; and for no more than this part of the wait that was expected: so little of the queue passes meanwhile. */
const LONGEST_MS = 100;
const PART = 1 / 20;
/** Tenants and classes of which it is remembered. */
const REMEMBERED = 1024;

/** See the file's head. */
export class Refusals {
  readonly #known = new Map<string, { answer: Refused; patienceMs: number; until: number }>();

  /** The authority has refused one of this importance and tenant, who could wait for so long. */
  learn(priority: number, tenant: string, patienceMs: number, answer: Refused, now: number): void {
    // Who had to go for another was let in first: the next one may be, too.
    if (answer.reason === 'evicted') return;
    const until = now + Math.min(LONGEST_MS, answer.waitMs * PART);
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(`${priority} ${tenant}`, { answer, patienceMs, until });
  }

  /** What the authority would say to one like that; undefined: it has to be asked. */
  find(priority: number, tenant: string, patienceMs: number, now: number): Refused | undefined {
    if (this.#known.size === 0) return undefined;
    const key = `${priority} ${tenant}`;
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    if (known.until > now) return patienceMs <= known.patienceMs ? known.answer : undefined;
    this.#known.delete(key);
    return undefined;
  }
}
