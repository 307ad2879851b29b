/** The two kinds of stage in the pipeline (DESIGN.md section 3). */
import type { GatehouseError } from './error.ts';
import type { Exchange } from './exchange.ts';

/** Nothing (go on), or the refusal that ends the exchange. A promise only where it truly must wait. */
export type Verdict = GatehouseError | undefined;

/** Decides about an exchange. Never writes a response, never calls the next stage. */
export type Gate = (exchange: Exchange) => Verdict | Promise<Verdict>;

/** Answers an exchange. */
export type Handler = (exchange: Exchange) => void;

/** For what needs both sides of the handler it wraps. */
export type Wrap = (next: Handler) => Handler;

/** What a stage looks at; decides how cheaply a route's requests can pass. */
export type Reads = 'head' | 'body' | 'stream';
