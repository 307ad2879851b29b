/** Operations that are not known, under limits on tokens and money: nobody could count what they use. */
import { mayGenerate, spokenProtocol } from '../ai/ai.ts';
import { pricesTokens } from '../ai/cost.ts';
import { GatehouseError } from '../kernel/error.ts';
import { LENGTH_CHUNKED } from '../kernel/exchange.ts';
import { type ActiveLimit, countsTokens, sayKey } from '../policy/quota/quota.ts';
import type { Passage } from './passage.ts';

/** The refusal of a request that no limit of `limits` on tokens or money could count; undefined where none is the worse for it. */
export function refuseUncounted(passage: Passage, limits: readonly ActiveLimit[]): GatehouseError | undefined {
  const { exchange, head, snapshot, worker, destination } = passage;
  const found = passage.route as NonNullable<typeof passage.route>;
  if (snapshot.refusesUnknown[found.index] !== true) return undefined;
  const hasBody = exchange.requestLength > 0 || exchange.requestLength === LENGTH_CHUNKED;
  const tunnel = head.upgrade !== '';
  if (!tunnel && !mayGenerate(head.method, found.rewrittenPath(head) ?? head.path, hasBody)) return undefined;
  const priced = moneyCounts(passage);
  let decides: ActiveLimit | undefined;
  for (const limit of limits) {
    const { rule, observe, keyOf } = limit;
    if (!countsTokens(rule.unit) || (rule.unit === 'credits' && priced)) continue;
    if (!observe) decides ??= limit;
    else
      worker.events.emit('limited', {
        rule: rule.name,
        key: sayKey(keyOf(exchange)),
        observed: true,
        retryAfterMs: Number.POSITIVE_INFINITY,
        exchange,
      });
  }
  if (decides === undefined) return undefined;
  const served = destination?.config.protocol;
  if (exchange.protocol === 'http' && served !== undefined && served !== 'http')
    exchange.protocol = spokenProtocol(head, served);
  const rule = decides.rule.name.replace(/^budget:/, '');
  const what = tunnel
    ? `What is asked of a model in a tunnel (${head.upgrade}) is not read here`
    : `${head.method} ${head.path} is no operation that Gatehouse knows`;
  const message = `${what}, so nobody can count what it uses, and ${rule} limits that. Call an operation that is known, such as POST /v1/chat/completions; whoever runs this gateway can let others pass (unknownOperations of the route ${found.name}).`;
  return new GatehouseError('unknown_operation', message, { rule, fields: NEVER });
}

/** It is so by configuration: trying again does not help. */
const NEVER = [['x-should-retry', 'false']] as const;

/** What it costs is known without its tokens: by the request, or by its time. */
function moneyCounts({ price, otherPrice }: Passage): boolean {
  if (price === undefined || pricesTokens(price)) return false;
  return otherPrice === undefined || !pricesTokens(otherPrice);
}
