/** Notes of a round: what its trial has counted. */
import { OUTCOMES, type Outcomes, total } from '../load/outcome.ts';
import type { Round } from '../measure/figures.ts';

/** Notes what went wrong. */
export function blame(round: Round, what: string, count = 1): void {
  round.errors[what] = (round.errors[what] ?? 0) + count;
}

/** Notes how requests have ended. */
export function count(round: Round, outcomes: Outcomes): void {
  round.figures.sent = total(outcomes);
  for (const outcome of OUTCOMES) round.figures[outcome] = outcomes[outcome];
}
