/** Which tokenizer counts for a model. */

/** Encodings of OpenAI's models, by the names that they bear in tiktoken. */
export const ENCODINGS = [
  'o200k_base',
  'o200k_harmony',
  'cl100k_base',
  'p50k_base',
  'p50k_edit',
  'r50k_base',
  'gpt2',
] as const;

/** Says that no tokenizer counts, also where the model's name would tell one. */
export const NO_TOKENIZER = 'estimate';

/** What is certain by the name: models of OpenAI and the encoding that each was published with. */
const KNOWN: readonly (readonly [RegExp, (typeof ENCODINGS)[number]])[] = [
  [/^gpt-oss(-|$)/, 'o200k_harmony'],
  [/^(gpt-4o|chatgpt-4o|gpt-4\.1|gpt-4\.5|gpt-5(\.\d+)?|o1|o3|o4)(-|$)/, 'o200k_base'],
  [/^(gpt-4|gpt-3\.5-turbo|gpt-35-turbo|text-embedding-3|text-embedding-ada-002)(-|$)/, 'cl100k_base'],
];

/** Names come from clients where any model is offered. */
const REMEMBERED = 1000;
const remembered = new Map<string, string | undefined>();

/** The encoding of a model, where its name alone makes it certain; `openai/` may stand in front. */
export function encodingOf(model: string): string | undefined {
  if (remembered.has(model)) return remembered.get(model);
  const encoding = byName(model);
  if (remembered.size < REMEMBERED && model.length <= 128) remembered.set(model, encoding);
  return encoding;
}

function byName(model: string): string | undefined {
  const name = model.startsWith('openai/') ? model.slice('openai/'.length) : model;
  for (const [pattern, encoding] of KNOWN) if (pattern.test(name)) return encoding;
  return undefined;
}
