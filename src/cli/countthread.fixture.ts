/** A thread in the place of countthread.ts, that does what the tokenizer's name says. */
import { parentPort } from 'node:worker_threads';
import type { CountTask } from './countdesk.ts';

parentPort?.on('message', ({ id, tokenizer, order }: CountTask) => {
  if (tokenizer === 'exits') process.exit(3);
  if (tokenizer === 'throws') throw new Error('out of luck');
  // A loop that does not turn, at no cost.
  if (tokenizer === 'hangs') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (tokenizer === 'silent') return;
  const failed = tokenizer.startsWith('/bad') ? 'it is no tokenizer' : undefined;
  const counted = { inputTokens: order?.prompt?.length, outputTokens: undefined, reasoningTokens: 0 };
  parentPort?.postMessage({ id, counted, failed });
});
