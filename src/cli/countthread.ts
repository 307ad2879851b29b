/** The thread of countdesk.ts: holds vocabularies and counts, one order after the other. */
import { statSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { isTokenizerFile } from '../ai/config.ts';
import { countTokens, type Tokenizer } from '../ai/count.ts';
import type { CountTask, CountTold } from './countdesk.ts';
import { loadTokenizer } from './tokenizers.ts';

interface Loaded {
  readonly stamp: string;
  readonly tokenizer: Promise<Tokenizer>;
}

const loaded = new Map<string, Loaded>();

/** What tells whether a file has changed; the same for ever where it is none. */
function stampOf(name: string): string {
  const stat = isTokenizerFile(name) ? statSync(name, { throwIfNoEntry: false }) : undefined;
  return stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
}

/** `fresh`: looks whether its file has changed. */
function tokenizerOf(name: string, fresh: boolean): Promise<Tokenizer> {
  const known = loaded.get(name);
  if (known !== undefined && (!fresh || known.stamp === stampOf(name))) return known.tokenizer;
  const made: Loaded = { stamp: stampOf(name), tokenizer: loadTokenizer(name) };
  loaded.set(name, made);
  // What could not be loaded is tried again.
  made.tokenizer.catch(() => {
    if (loaded.get(name) !== made) return;
    if (known === undefined) loaded.delete(name);
    else loaded.set(name, known);
  });
  return made.tokenizer;
}

async function run(task: CountTask): Promise<CountTold['counted']> {
  if (task.keep !== undefined) {
    for (const name of [...loaded.keys()]) if (!task.keep.includes(name)) loaded.delete(name);
    return undefined;
  }
  const tokenizer = await tokenizerOf(task.tokenizer, task.order === undefined);
  return task.order === undefined ? undefined : countTokens(task.order, tokenizer);
}

let turn: Promise<void> = Promise.resolve();
parentPort?.on('message', (task: CountTask) => {
  turn = turn.then(async () => {
    const { id } = task;
    try {
      parentPort?.postMessage({ id, counted: await run(task), failed: undefined } satisfies CountTold);
    } catch (error) {
      const failed = error instanceof Error ? error.message : String(error);
      parentPort?.postMessage({ id, counted: undefined, failed } satisfies CountTold);
    }
  });
});
