/** What to say when a server was too slow: which wait, and which setting limits it. */
import type { ErrorCode } from '../kernel/error.ts';
import { formatDuration } from '../kernel/limit.ts';
import type { UpstreamConfig } from './config.ts';

/** What is waited for. */
export type Wait = keyof UpstreamConfig['timeouts'];

const WHAT: Readonly<Record<Wait, readonly [ErrorCode, string]>> = {
  connect: ['connect_timeout', 'no connection'],
  firstByte: ['first_byte_timeout', 'no answer'],
  perTry: ['first_byte_timeout', 'no answer'],
  firstToken: ['first_byte_timeout', 'no generated content'],
  betweenTokens: ['idle_timeout', 'no further content'],
  idle: ['idle_timeout', 'nothing moved'],
  total: ['total_timeout', 'the answer was not complete'],
  tunnel: ['idle_timeout', 'nothing moved in the tunnel'],
};

/** Error code and message for a wait that was too long. */
export function overdue(wait: Wait, timeouts: UpstreamConfig['timeouts']): readonly [ErrorCode, string] {
  const [code, what] = WHAT[wait];
  return [code, `${what} within ${formatDuration(timeouts[wait])} (timeouts.${wait})`];
}
