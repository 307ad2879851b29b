/** Which tokenizer counts for a request, should its server not say what it has used. */
import { encodingOf, NO_TOKENIZER } from '../ai/encoding.ts';
import type { Counting } from './counting.ts';

/** What is known of a request. */
interface Asked {
  readonly exchange: { readonly model: string };
  readonly worker: { readonly counting: Counting };
  readonly version: { readonly tokenizer: string | undefined; readonly model: string | undefined } | undefined;
  readonly upstream: { readonly config: { readonly tokenizer?: string | undefined } };
  /** Its answer is read. */
  readonly reads: boolean;
  /** Defined where a limit, or a price, needs its tokens. */
  readonly meter: object | undefined;
  readonly price: object | undefined;
}

/**
 * As version, model or upstream say, the nearest first. Where none does, as the name of the model makes certain, if somebody wants
 * to know: a limit, or a price. Undefined: nobody counts.
 */
export function tokenizerOf(request: Asked): string | undefined {
  const { worker, version, upstream, reads, meter, price, exchange } = request;
  // What was refused before an upstream was chosen has cost nothing.
  if (!reads || !worker.counting.possible) return undefined;
  const set = version?.tokenizer ?? upstream.config.tokenizer;
  if (set !== undefined) return set === NO_TOKENIZER ? undefined : set;
  if (meter === undefined && price === undefined) return undefined;
  return encodingOf(version?.model ?? exchange.model);
}
