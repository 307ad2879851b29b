/** A vocabulary small enough to count by hand: bytes, and the tokens of `hello world`. */

/** What a `tokenizer.json` holds: byte-level BPE as GPT-2 has it, with the special tokens of ChatML. */
export function tinyTokenizer(): Record<string, unknown> {
  const vocab: Record<string, number> = {};
  let next = 0;
  let beyond = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    vocab[String.fromCharCode(printable ? byte : beyond++)] = next++;
  }
  const merges = ['h e', 'l l', 'he ll', 'hell o', 'Ġ w', 'Ġw o', 'Ġwo r', 'Ġwor l', 'Ġworl d'];
  for (const merge of merges) vocab[merge.replace(' ', '')] = next++;
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: '1.0',
    added_tokens: ['<|im_start|>', '<|im_end|>'].map((content) => ({ id: next++, content, ...special })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges: merges.map((merge) => merge.split(' ')) },
  };
}
