/** `POST /v1/embeddings`. */
import type { Answer, Circumstances, Refusal } from '../answer.ts';
import type { Json } from '../json.ts';
import { countTokens, Dice, hash } from '../token.ts';
import { invalid, STREAM_FAILURE } from './error.ts';
import { checkModel, wholeNumber } from './request.ts';

const DEFAULT_DIMENSIONS = 1536;
const MOST_DIMENSIONS = 4096;

/** Answers with unit vectors that depend on seed, input and `dimensions` only; `float` or `base64` (float32, LE). */
export function embeddings(body: Json, about: Circumstances): Answer | Refusal {
  const wrong = checkModel(body, about);
  if (wrong) return wrong;
  const inputs = inputsOf(body.input);
  if (!inputs) return invalid("Invalid 'input': expected a string, or a list of strings or tokens.", 'input');
  const dimensions = Math.min(wholeNumber(body, ['dimensions'], DEFAULT_DIMENSIONS), MOST_DIMENSIONS);
  const promptTokens = inputs.reduce((sum, input) => sum + input.tokens, 0);
  const base64 = body.encoding_format === 'base64';
  return {
    model: body.model as string,
    stream: false,
    promptTokens,
    steps: 0,
    cut: false,
    generated: () => 0,
    whole: () =>
      JSON.stringify({
        object: 'list',
        data: inputs.map((input, index) => {
          const vector = vectorFor(input.text, about.seed, dimensions);
          const embedding = base64 ? Buffer.from(vector.buffer).toString('base64') : Array.from(vector);
          return { object: 'embedding', index, embedding };
        }),
        model: body.model,
        usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
      }),
    opening: () => '',
    step: () => '',
    closing: () => '',
    failure: () => STREAM_FAILURE,
  };
}

function inputsOf(input: unknown): { text: string; tokens: number }[] | undefined {
  if (typeof input === 'string') return [{ text: input, tokens: countTokens(input) }];
  if (!Array.isArray(input) || input.length === 0) return undefined;
  if (typeof input[0] === 'number') return [{ text: input.join(' '), tokens: input.length }];
  const found = input.slice(0, 2048).map(inputsOf);
  return found.every((one) => one !== undefined) ? found.flat() : undefined;
}

function vectorFor(text: string, seed: number, dimensions: number): Float32Array {
  const dice = new Dice(hash(text, seed));
  const vector = new Float32Array(dimensions);
  let square = 0;
  for (let i = 0; i < dimensions; i++) {
    const value = dice.next() * 2 - 1;
    vector[i] = value;
    square += value * value;
  }
  const length = Math.sqrt(square) || 1;
  for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] as number) / length;
  return vector;
}
