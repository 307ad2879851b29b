/** The last stage: what was composed goes to a server. */
import { Forward } from '../upstream/forward.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';

/** Sends it; what follows is up to the upstream room. */
export function forward(passage: Passage): Step {
  const { exchange, worker, operation, price } = passage;
  // From here on it may cost something, whatever becomes of us.
  if (operation !== undefined || price !== undefined) worker.events.emit('requestForwarded', passage);
  const forwarding = new Forward(exchange, passage, passage);
  // What was refused at once is over already.
  if (exchange.identity !== undefined && exchange.outcome === 'open') {
    passage.forwarding = forwarding;
    if (passage.slot < 0) worker.callers.add(passage);
  }
  return ANSWERED;
}
