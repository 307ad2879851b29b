/** `anthropic-ratelimit-*`; the reset is a time (RFC 3339). */
import type { Allowance, Allowances } from '../allowance.ts';

function lines(of: string, one: Allowance | undefined, wall: number): string {
  if (one === undefined) return '';
  const name = `anthropic-ratelimit-${of}`;
  const reset = `${new Date(Math.ceil((wall + one.resetMs) / 1000) * 1000).toISOString().slice(0, 19)}Z`;
  return `${name}-limit: ${one.limit}\r\n${name}-remaining: ${one.remaining}\r\n${name}-reset: ${reset}\r\n`;
}

/** Field lines with CRLF. `wall`: now, in milliseconds since 1970. */
export function allowanceLines({ requests, tokens, inputTokens, outputTokens }: Allowances, wall: number): string {
  return (
    lines('requests', requests, wall) +
    lines('tokens', tokens, wall) +
    lines('input-tokens', inputTokens, wall) +
    lines('output-tokens', outputTokens, wall)
  );
}
