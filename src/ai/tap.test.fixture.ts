/** Runs taps over answers cut in every way, for the tests of this room. */
import assert from 'node:assert/strict';
import type { Usage } from '../kernel/exchange.ts';
import { type Operation, recognize, usageTap } from './ai.ts';

/** The operation at a path. */
export const at = (path: string) => recognize('POST', path) as Operation;

/** Usage with what it has. */
export function usage(inputTokens: number, outputTokens: number, cachedInputTokens = 0, reasoningTokens = 0): Usage {
  return { inputTokens, outputTokens, cachedInputTokens, reasoningTokens };
}

/** What a tap has learnt. */
export interface Learnt {
  usage: Usage | undefined;
  tokens: number;
  firsts: number;
}

/** Feeds the parts to a fresh tap. */
export function run(operation: Operation, kind: 'json' | 'sse', parts: readonly Buffer[]): Learnt {
  const tap = usageTap(operation, kind);
  let firsts = 0;
  tap.onFirstToken = () => firsts++;
  for (const part of parts) {
    // Stale bytes around the slice, with a decoy, as in a read buffer that is used again and again.
    const padded = Buffer.concat([Buffer.from('"usage":{'), part, Buffer.from('"}],"usage":{"prompt_tokens":9}}\n\n')]);
    tap.data(padded, 9, 9 + part.length);
    padded.fill('"');
  }
  tap.end();
  return { usage: tap.usage, tokens: tap.tokens, firsts };
}

/** The same is learnt whole, cut in two anywhere, and byte by byte. */
export function everySplit(operation: Operation, kind: 'json' | 'sse', text: string, wanted: Learnt): void {
  const bytes = Buffer.from(text);
  assert.deepEqual(run(operation, kind, [bytes]), wanted);
  for (let cut = 1; cut < bytes.length; cut++) {
    assert.deepEqual(run(operation, kind, [bytes.subarray(0, cut), bytes.subarray(cut)]), wanted, `split at ${cut}`);
  }
  assert.deepEqual(
    run(
      operation,
      kind,
      [...bytes].map((byte) => Buffer.of(byte)),
    ),
    wanted,
    'byte by byte',
  );
}
