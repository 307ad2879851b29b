/** Tokenizers that models and upstreams name: whether there is the package, and the file, and whether it is one. */
import { resolve } from 'node:path';
import { isTokenizerFile } from '../ai/config.ts';
import { NO_TOKENIZER } from '../ai/encoding.ts';
import { record } from '../ai/value.ts';
import type { Parts } from './parts.ts';
import type { Path, Report } from './problem.ts';
import { reasonOf, type Surroundings } from './reference.ts';

/** The largest vocabularies have about 35 MB. */
const MAX_BYTES = 128 * 1024 * 1024;
const KINDS = ['BPE', 'Unigram', 'WordPiece'];

/** Checks every tokenizer of `parts`, and writes the absolute path of each file into its setting. */
export function loadTokenizers(parts: Parts, around: Surroundings, report: Report): void {
  const checked = new Map<string, string | undefined>();
  const check = (holder: { tokenizer?: string | undefined }, path: Path): void => {
    const { tokenizer } = holder;
    if (tokenizer === undefined || tokenizer === NO_TOKENIZER) return;
    const isFile = isTokenizerFile(tokenizer);
    const name = isFile ? resolve(around.folder, tokenizer) : tokenizer;
    holder.tokenizer = name;
    if (!checked.has(name)) checked.set(name, isFile ? fileFault(name, around) : packageFault('gpt-tokenizer', name));
    const fault = checked.get(name);
    if (fault !== undefined) report.at([...path, 'tokenizer'], fault);
  };
  for (const [name, upstream] of parts.upstreams) check(upstream, ['upstreams', name]);
  for (const [name, model] of parts.models) {
    check(model, ['models', name]);
    model.versions.forEach((version, i) => {
      check(version, ['models', name, 'versions', i]);
    });
  }
}

function packageFault(name: string, encoding?: string): string | undefined {
  try {
    import.meta.resolve(encoding === undefined ? name : `${name}/encoding/${encoding}`);
    return undefined;
  } catch {
    return `needs the package ${name}: npm install ${name}, or take this out`;
  }
}

function fileFault(path: string, around: Surroundings): string | undefined {
  around.sources.add(path);
  let text: string;
  try {
    const bytes = around.readFile(path);
    if (bytes.length > MAX_BYTES)
      return `cannot use ${path}: it has ${bytes.length} bytes, at most ${MAX_BYTES} are read`;
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    return `cannot use ${path}: ${reasonOf(error)}`;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `cannot use ${path}: it is not JSON; is it cut short, or a pointer of Git LFS instead of the file itself?`;
  }
  const model = record(record(value)?.model);
  if (typeof model?.vocab !== 'object' || model.vocab === null)
    return `cannot use ${path}: it holds no model.vocab; name the tokenizer.json that lies beside the weights, not tokenizer_config.json`;
  if (model.type !== undefined && !KINDS.includes(String(model.type)))
    return `cannot use ${path}: its model is of the type ${String(model.type).slice(0, 40)}; there are ${KINDS.join(', ')}`;
  return packageFault('@huggingface/tokenizers');
}
