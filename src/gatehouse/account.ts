/** The end of a request, for whoever counts: its usage, its price, its limits, and then those who write it down. */
import type { TokenRatios } from '../ai/ai.ts';
import type { Counted } from '../ai/count.ts';
import type { Events, ForwardedEvent } from '../kernel/event.ts';
import type { Exchange, Usage, UsageSource } from '../kernel/exchange.ts';
import type { Admission } from '../policy/quota/quota.ts';
import { callerOf } from './caller.ts';
import { costOfPassage, type Priced } from './cost.ts';
import type { Counting } from './counting.ts';
import { usedBy } from './demand.ts';
import { type Ended, type Known, knownUsage, orderOf, withCount } from './usage.ts';

/** A request that has ended. */
interface Accounted extends Ended, Pick<Priced, 'price'>, ForwardedEvent {
  readonly exchange: Exchange;
  readonly admission: Admission | undefined;
  readonly worker: { readonly ratios: TokenRatios; readonly counting: Counting; readonly events: Events };
}

/**
 * Settles a request all at once: limits, price, ledger, metrics and log see the same. Where a tokenizer has to count, that is a
 * moment later; its reservation stays until then, its place is free at once.
 */
export function account(request: Accounted): void {
  const { exchange, tokenizer, admission, worker, produced } = request;
  const { outcome } = exchange;
  const known = knownUsage(request, outcome);
  const order = tokenizer === undefined ? undefined : orderOf(request, known, outcome);
  const asked =
    order !== undefined &&
    worker.counting.ask(tokenizer as string, order, (counted) => {
      if (counted === undefined) end(request, known, known.usage, sourceOf(known));
      else endCounted(request, known, counted);
    });
  produced?.drop();
  if (asked) {
    admission?.leave();
    // Its client gets the end of the answer before it is counted.
    worker.events.emit('requestForwarded', request);
  } else end(request, known, known.usage, sourceOf(known));
}

function endCounted(request: Accounted, known: Known, counted: Counted): void {
  const { usage, all } = withCount(request, known, counted);
  const { meter, exchange, worker } = request;
  if (meter !== undefined && counted.inputTokens !== undefined)
    worker.ratios.learn(exchange.model, callerOf(exchange), exchange.startedAt, meter.estimate, counted.inputTokens);
  end(request, known, usage, all ? 'counted' : 'estimated');
}

const sourceOf = ({ usage, input, output }: Known): UsageSource =>
  usage === undefined ? '' : input && output ? 'reported' : 'estimated';

function end(request: Accounted, known: Known, usage: Usage | undefined, source: UsageSource): void {
  const { exchange, admission, price, meter, worker } = request;
  exchange.usage = usage;
  exchange.usageSource = source;
  if (meter !== undefined && known.input && known.output && usage !== undefined)
    worker.ratios.learn(exchange.model, callerOf(exchange), exchange.startedAt, meter.estimate, usage.inputTokens);
  if (price !== undefined) exchange.cost = costOfPassage(request, exchange);
  if (admission !== undefined) {
    if (exchange.cost > 0) exchange.charges = admission.charges();
    admission.end(usedBy(request));
  }
  worker.events.emit('requestEnded', exchange);
}
