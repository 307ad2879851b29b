/** `x-ratelimit-*` as OpenAI's clients know them; the reset is a duration such as `6m0s` or `12ms`. */
import type { Allowance, Allowances } from '../allowance.ts';

function durationOf(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours > 0 ? `${hours}h` : ''}${minutes}m${seconds % 60}s`;
}

const lines = (of: string, one: Allowance | undefined): string =>
  one === undefined
    ? ''
    : `x-ratelimit-limit-${of}: ${one.limit}\r\nx-ratelimit-remaining-${of}: ${one.remaining}\r\nx-ratelimit-reset-${of}: ${durationOf(one.resetMs)}\r\n`;

/** Field lines with CRLF. */
export function allowanceLines({ requests, tokens, inputTokens, outputTokens }: Allowances): string {
  return lines('requests', requests) + lines('tokens', tokens ?? inputTokens ?? outputTokens);
}
