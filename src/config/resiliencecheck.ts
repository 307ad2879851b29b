/** Settings of an upstream's resilience that cannot have an effect as they stand. */
import type { UpstreamConfig } from '../upstream/config.ts';
import type { Path, Report } from './problem.ts';

/** Warns of them. `path` leads to the upstream. */
export function checkResilience(path: Path, upstream: UpstreamConfig, report: Report): void {
  const { breaker, hedging, retries, timeouts, protocol, endpoints } = upstream;
  const warn = (keys: string[], message: string) => report.warn([...path, ...keys], message, 'key');
  if (breaker !== undefined) {
    const { consecutiveTimeouts, consecutiveErrors, errorRatio, slowRatio } = breaker;
    if (consecutiveTimeouts + consecutiveErrors + errorRatio + slowRatio === 0) {
      warn(['breaker'], 'no rule can open it; set consecutiveTimeouts, consecutiveErrors, errorRatio or slowRatio');
    }
  }
  if (hedging !== undefined && retries.attempts === 1) {
    warn(['hedging'], 'a second sending counts as a try, and retries.attempts allows one; set it to 2 or more');
  } else if (hedging !== undefined && endpoints.length === 1) {
    warn(['hedging'], 'a second sending needs a second endpoint, and there is one');
  }
  if (retries.statuses.length > 0 && retries.attempts === 1) {
    warn(
      ['retries', 'statuses'],
      'retries.attempts allows one try, so no answer leads to another; set it to 2 or more',
    );
  }
  for (const key of ['firstToken', 'betweenTokens'] as const) {
    if (timeouts[key] > 0 && protocol === 'http') {
      warn(
        ['timeouts', key],
        'nothing is known of tokens in plain HTTP; set "protocol" to the API that the servers speak',
      );
    }
  }
}
