/** Vocabularies out of optional packages: OpenAI's by name, others from a `tokenizer.json`. Nothing is fetched. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { countInRuns, type Tokenizer } from '../ai/count.ts';
import { ENCODINGS } from '../ai/encoding.ts';
import type { PromptFunction, PromptMessage } from '../ai/promptparts.ts';
import { templateOf } from '../ai/template.ts';

/** The part of `gpt-tokenizer` that is used. */
interface Encoding {
  countTokens(text: string, options: { disallowedSpecial: ReadonlySet<string> }): number;
  setMergeCacheSize(entries: number): void;
}

interface FunctionCalling {
  computeChatCompletionTokenCount(
    request: { messages: readonly PromptMessage[]; functions: readonly PromptFunction[] },
    count: (text: string) => number,
  ): number;
  readonly FUNCTION_CALL_METADATA_TOKEN_OVERHEAD: number;
}

/** Pieces of text whose tokens a vocabulary remembers; a few megabytes. */
const CACHED = 20_000;
/** By default it refuses texts that hold the name of a special token. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };
/** What a call of a tool makes beside its name and arguments, where nothing says so: as of OpenAI's models. */
const CALL_TOKENS = 3;

/** Loads a vocabulary: the name of an encoding, or the path of a file. Rejects with an `Error` for operators to read. */
export function loadTokenizer(name: string): Promise<Tokenizer> {
  return (ENCODINGS as readonly string[]).includes(name) ? loadEncoding(name) : loadFile(name);
}

async function loadEncoding(name: string): Promise<Tokenizer> {
  const encoding: Encoding = await optional('gpt-tokenizer', `gpt-tokenizer/encoding/${name}`);
  const calling: FunctionCalling = await optional('gpt-tokenizer', 'gpt-tokenizer/functionCalling');
  encoding.setMergeCacheSize(CACHED);
  const count = (text: string) => countInRuns(text, (part) => encoding.countTokens(part, AS_TEXT));
  return {
    count,
    chat: (messages, functions) => calling.computeChatCompletionTokenCount({ messages, functions }, count),
    perCall: calling.FUNCTION_CALL_METADATA_TOKEN_OVERHEAD,
  };
}

/** The part of `@huggingface/tokenizers` that is used. */
interface Vocabulary {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
}

async function loadFile(path: string): Promise<Tokenizer> {
  const { Tokenizer: Made } = await optional<{ Tokenizer: new (tokenizer: object, config: object) => Vocabulary }>(
    '@huggingface/tokenizers',
    '@huggingface/tokenizers',
  );
  const json = JSON.parse(await readFile(path, 'utf8')) as { added_tokens?: { content: string }[] };
  const beside = await readFile(join(dirname(path), 'tokenizer_config.json'), 'utf8').catch(() => '{}');
  const vocabulary = new Made(json, JSON.parse(beside) as object);
  const template = templateOf(new Set(json.added_tokens?.map(({ content }) => content)));
  const count = (text: string) =>
    countInRuns(text, (part) => vocabulary.encode(part, { add_special_tokens: false }).ids.length);
  return {
    count,
    chat(messages, functions) {
      let tokens = template.start + template.reply;
      for (const { content, name } of messages)
        tokens += template.message + count(content) + (name === undefined ? 0 : count(name));
      // Templates write each tool as JSON.
      for (const one of functions) tokens += count(JSON.stringify({ type: 'function', function: one }));
      return tokens;
    },
    perCall: CALL_TOKENS,
  };
}

async function optional<T>(name: string, entry: string): Promise<T> {
  try {
    return (await import(entry)) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Error(`counting by a tokenizer needs the package ${name}: npm install ${name}`);
  }
}
