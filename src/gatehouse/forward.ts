/** The last stage: what was composed goes to a server. */
import { Forward } from '../upstream/forward.ts';
import { timeCredits } from './cost.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';

/** Sends it; what follows is up to the upstream room. */
export function forward(passage: Passage): Step {
  const { exchange, worker, operation, price } = passage;
  if (price !== undefined) followTime(passage);
  // From here on it may cost something, whatever becomes of us.
  if (operation !== undefined || price !== undefined) worker.events.emit('requestForwarded', passage);
  const forwarding = new Forward(exchange, passage, passage);
  // What was refused at once is over already.
  if (exchange.outcome !== 'open') return ANSWERED;
  if (exchange.identity !== undefined) {
    passage.forwarding = forwarding;
    if (passage.slot < 0) worker.callers.add(passage);
  } else if (passage.time !== undefined) passage.forwarding = forwarding;
  return ANSWERED;
}

/** Where its time costs money that a limit counts, that is followed while it runs. */
function followTime(passage: Passage): void {
  const { admission, meter, worker } = passage;
  if (passage.time !== undefined || admission === undefined || timeCredits(passage, 1) === 0) return;
  if (admission.reserved('credits') === Number.POSITIVE_INFINITY) return;
  passage.time = worker.paidTimes.follow(passage, admission);
  if (meter !== undefined) meter.time = passage.time;
}
