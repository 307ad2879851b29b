/** A setting that models and upstreams share: who counts tokens where the server does not say. */
import { z } from 'zod';
import { ENCODINGS, NO_TOKENIZER } from './encoding.ts';

const WANTED = `expected an encoding (${ENCODINGS.join(', ')}), the path of a tokenizer.json, or ${NO_TOKENIZER}`;

/** Name of an encoding, path of a Hugging Face `tokenizer.json`, or `estimate`. */
export const tokenizerSetting = z
  .string()
  .refine(
    (text) => text === NO_TOKENIZER || (ENCODINGS as readonly string[]).includes(text) || text.endsWith('.json'),
    WANTED,
  )
  .optional();

/** The setting names a file. */
export const isTokenizerFile = (setting: string): boolean => setting.endsWith('.json');
