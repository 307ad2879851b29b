/**
 * What servers put around the messages of a conversation, in tokens, by the special tokens of a vocabulary: the templates of
 * the large families, where nothing but the text is between. A template that adds a system prompt or a date adds more.
 */

/** Tokens of a template. */
export interface Template {
  /** In front of everything. */
  readonly start: number;
  /** Around each message, its role included. */
  readonly message: number;
  /** What asks for the answer. */
  readonly reply: number;
}

/** A special token that only this family has → its template. */
const FAMILIES: readonly (readonly [string, Template])[] = [
  // <|im_start|>ROLE\n … <|im_end|>\n: Qwen and others that speak ChatML.
  ['<|im_start|>', { start: 0, message: 5, reply: 3 }],
  // <|start_header_id|>ROLE<|end_header_id|>\n\n … <|eot_id|>: Llama 3.
  ['<|start_header_id|>', { start: 1, message: 5, reply: 4 }],
  // <｜User｜> … <｜Assistant｜>: DeepSeek; an earlier answer ends with a token of its own instead.
  ['<｜User｜>', { start: 1, message: 1, reply: 1 }],
  // <start_of_turn>ROLE\n … <end_of_turn>\n: Gemma.
  ['<start_of_turn>', { start: 1, message: 5, reply: 3 }],
  // [INST] … [/INST]: Mistral.
  ['[INST]', { start: 1, message: 2, reply: 0 }],
];

/** Of any other vocabulary: as of OpenAI's models, with the role as a token. */
const OTHER: Template = { start: 0, message: 4, reply: 3 };

/** The template of a vocabulary with these special tokens. */
export function templateOf(special: ReadonlySet<string>): Template {
  return FAMILIES.find(([token]) => special.has(token))?.[1] ?? OTHER;
}
