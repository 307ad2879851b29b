/**
 * A language model small enough to write by hand: a word bigram in llama layout. Every word of a text has exactly one
 * successor, so the most likely continuation is known beforehand.
 *
 * How it fits into a transformer: the embedding of token i is the i-th unit vector, all attention and feed-forward
 * weights are zero, so that the one block passes its input on, and row j of the output matrix is 1 where j follows i.
 */
import { encodeGguf, type Tensor } from './gguf.ts';

/** What the model says; no word twice. The last one is followed by the end of the text. */
export const STORY =
  'the gate opens at dawn and travellers from every country walk through it one by another while guards watch ' +
  'quietly counting each face until evening falls then lamps are lit along high walls so nobody may enter unseen ' +
  'but friends who know our secret password always find warm bread waiting inside';

const UNKNOWN = 0;
const BEGIN = 1;
const END = 2;
/** SentencePiece writes a space as this character. */
const SPACE = '▁';
/** tokenizer.ggml.token_type values. */
const NORMAL = 1;
const UNKNOWN_TYPE = 2;
const CONTROL = 3;
const UNUSED = 5;
const BYTE = 6;
const HEAD_SIZE = 64;

/** Words that follow `word` to the end of the story, or the whole story when it does not know the word. */
export function continuation(word: string): string[] {
  const words = STORY.split(' ');
  return words.slice(words.indexOf(word) + 1);
}

/** A GGUF file that llama.cpp loads: about 8 MB, made in milliseconds. */
export function writeBigramModel(): Buffer {
  const words = STORY.split(' ').map((word) => SPACE + word);
  const tokens = ['<unk>', '<s>', '</s>'];
  const types = [UNKNOWN_TYPE, CONTROL, CONTROL];
  const scores = [0, 0, 0];
  for (let byte = 0; byte < 256; byte++) {
    tokens.push(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    types.push(BYTE);
    scores.push(0);
  }
  // The tokenizer joins neighbours as long as the result is a token, so every beginning of a word has to be one.
  const ids = new Map<string, number>();
  for (const word of words) {
    for (let length = 1; length <= word.length; length++) {
      const piece = word.slice(0, length);
      if (ids.has(piece)) continue;
      ids.set(piece, tokens.length);
      tokens.push(piece);
      types.push(NORMAL);
      scores.push(length);
    }
  }
  while (tokens.length % HEAD_SIZE !== 0) {
    tokens.push(`<unused${tokens.length}>`);
    types.push(UNUSED);
    scores.push(0);
  }

  const size = tokens.length;
  const first = ids.get(words[0] as string) as number;
  const next = new Int32Array(size).fill(first);
  for (const [index, word] of words.entries()) {
    const follower = words[index + 1];
    next[ids.get(word) as number] = follower === undefined ? END : (ids.get(follower) as number);
  }

  const metadata = {
    'general.architecture': { text: 'llama' },
    'general.name': { text: 'bigram' },
    'general.file_type': { u32: 0 },
    'llama.context_length': { u32: 2048 },
    'llama.embedding_length': { u32: size },
    'llama.block_count': { u32: 1 },
    'llama.feed_forward_length': { u32: HEAD_SIZE },
    'llama.attention.head_count': { u32: size / HEAD_SIZE },
    'llama.attention.head_count_kv': { u32: 1 },
    'llama.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
    'llama.rope.dimension_count': { u32: HEAD_SIZE },
    'llama.vocab_size': { u32: size },
    'tokenizer.ggml.model': { text: 'llama' },
    'tokenizer.ggml.pre': { text: 'default' },
    'tokenizer.ggml.tokens': { texts: tokens },
    'tokenizer.ggml.scores': { f32s: scores },
    'tokenizer.ggml.token_type': { i32s: types },
    'tokenizer.ggml.bos_token_id': { u32: BEGIN },
    'tokenizer.ggml.eos_token_id': { u32: END },
    'tokenizer.ggml.unknown_token_id': { u32: UNKNOWN },
    'tokenizer.ggml.add_bos_token': { bool: true },
    'tokenizer.ggml.add_space_prefix': { bool: true },
  };
  return encodeGguf(metadata, tensors(size, next));
}

function tensors(size: number, next: Int32Array): Tensor[] {
  const zeros = (name: string, ...shape: [number, number]): Tensor => ({
    name,
    shape,
    data: new Float32Array(shape[0] * shape[1]),
  });
  const ones = (name: string): Tensor => ({ name, shape: [size], data: new Float32Array(size).fill(1) });
  const embedding = zeros('token_embd.weight', size, size);
  const output = zeros('output.weight', size, size);
  for (let token = 0; token < size; token++) {
    embedding.data[token * size + token] = 1;
    output.data[(next[token] as number) * size + token] = 1;
  }
  return [
    embedding,
    ones('output_norm.weight'),
    output,
    ones('blk.0.attn_norm.weight'),
    zeros('blk.0.attn_q.weight', size, size),
    zeros('blk.0.attn_k.weight', size, HEAD_SIZE),
    zeros('blk.0.attn_v.weight', size, HEAD_SIZE),
    zeros('blk.0.attn_output.weight', size, size),
    ones('blk.0.ffn_norm.weight'),
    zeros('blk.0.ffn_gate.weight', size, HEAD_SIZE),
    zeros('blk.0.ffn_up.weight', size, HEAD_SIZE),
    zeros('blk.0.ffn_down.weight', HEAD_SIZE, size),
  ];
}
