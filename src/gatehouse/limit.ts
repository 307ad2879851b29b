/**
 * Limits of route, plan and everything. Asked as early as they can be known: by the head, or when the body's model is known;
 * all of them together, so that nothing is taken where one of them refuses.
 */
import { clampTokens, PeekFault } from '../ai/ai.ts';
import type { GatehouseError } from '../kernel/error.ts';
import { countsTokens, type Exhausted } from '../policy/quota/quota.ts';
import { flushCorked } from '../socket/cork.ts';
import { refusalOf } from './cost.ts';
import { demandOf, flexibilityOf, moreOutput } from './demand.ts';
import { Meter } from './meter.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';
import { refuseUncounted } from './uncounted.ts';

/** Limits that the head is enough for. */
export function limit(passage: Passage): Step {
  const { snapshot, worker, exchange } = passage;
  const found = passage.route as NonNullable<typeof passage.route>;
  if (worker.quota.isFree(snapshot.quota) || found.needsModel) return undefined;
  const limits = worker.quota.limitsFor(snapshot.quota, found.index, exchange);
  if (limits.length === 0) return undefined;
  for (let i = 0; i < limits.length; i++) {
    if (limits[i]?.needsBody) {
      passage.counted = limits.some(({ rule }) => countsTokens(rule.unit));
      return undefined;
    }
  }
  return enter(passage, limits);
}

/** The others, when model and size are known. */
export function limitByModel(passage: Passage): Step {
  const { snapshot, worker, exchange } = passage;
  if (passage.admission !== undefined) return moveOver(passage);
  if (worker.quota.isFree(snapshot.quota)) return undefined;
  const found = passage.route as NonNullable<typeof passage.route>;
  const limits = worker.quota.limitsFor(snapshot.quota, found.index, exchange);
  if (limits.length === 0) return undefined;
  const uncounted = passage.operation === undefined ? refuseUncounted(passage, limits) : undefined;
  return uncounted ?? enter(passage, limits);
}

/** What is counted by version is counted with the one that the request has gone over to. */
function moveOver(passage: Passage): Step {
  const verdict = passage.admission?.move(deciding(passage));
  if (verdict === 'wait') return ANSWERED;
  return verdict === undefined ? undefined : refusalOf(passage, verdict);
}

/** For whom has to wait until it is known whether there is enough. */
function deciding(passage: Passage): (exhausted: Exhausted | undefined) => void {
  return (exhausted) => {
    if (passage.exchange.outcome !== 'open') return;
    if (exhausted === undefined) passage.worker.proceed(passage);
    else passage.refuse(refusalOf(passage, exhausted));
    flushCorked();
  };
}

function enter(passage: Passage, limits: Parameters<Passage['worker']['quota']['admission']>[0]): Step {
  const { worker, exchange } = passage;
  if (passage.body !== undefined && limits.some(({ rule }) => countsTokens(rule.unit)))
    passage.meter = new Meter(passage, limits, (outputTokens) => moreOutput(passage, outputTokens));
  const admission = worker.quota.admission(
    limits,
    exchange,
    demandOf(passage),
    deciding(passage),
    flexibilityOf(passage),
  );
  passage.admission = admission;
  if (passage.meter !== undefined) passage.meter.admission = admission;
  const verdict = admission.begin();
  if (verdict === 'wait') return ANSWERED;
  return verdict === undefined ? undefined : (refusalOf(passage, verdict) satisfies GatehouseError);
}

/** Tells the server how much it may generate, where only the limit says so. */
export function tellBound(passage: Passage): void {
  const { body, meter, operation } = passage;
  if (body === undefined || meter === undefined || meter.told === 0) return;
  const bounded = clampTokens(body, meter.told, operation);
  if (!(bounded instanceof PeekFault)) passage.body = bounded;
}
