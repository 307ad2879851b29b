/** What is decided about a request before it is sent, and what happens at its end; given by the assembly. */
import type { FieldSection } from '../http/fields.ts';
import type { GatehouseError } from '../kernel/error.ts';
import type { Exchange, Outcome, ResponseHead, Rewrite, Tap } from '../kernel/exchange.ts';
import type { Order } from './queue/upstreamqueue.ts';
import type { Upstream } from './upstream.ts';

/** How the answer is looked at or changed on its way. */
export interface ResponseShape {
  tap: Tap | undefined;
  rewrite: Rewrite | undefined;
}

/** Everything that was decided about a request before it is sent. */
export interface ForwardPlan {
  readonly upstream: Upstream;
  /** What the hash policy hashes. */
  readonly hashKey: string | undefined;
  readonly target: string;
  /** Host field: `endpoint`, or a literal value. */
  readonly host: string;
  /** Field lines with CRLF, without Host and framing. */
  readonly fields: string;
  /** The whole body, when it is held; undefined when it is relayed as it comes. */
  readonly body: Buffer | undefined;
  /** How long the client waits at most, in milliseconds from now; Infinity when it has not said. */
  readonly patience: number;
  /** Protocol asked for by Upgrade, or ''. */
  readonly upgrade: string;
  /** Pieces of generated content that the answer has shown so far; 0 where nobody counts them. */
  readonly tokens: number;
  /** How the request stands in a queue, for a try that has no place; `waitedMs`: since the first one. */
  order(waitedMs: number, patienceMs: number): Order;
  /** Looks at the response head and chooses what watches or changes the body; undefined: it passes unseen. */
  shape(head: ResponseHead): ResponseShape | undefined;
  /** Field lines for the client out of the server's, without the kinds in `drop`. */
  responseFields(head: FieldSection, drop: number): string;
}

/** What ends an exchange. */
export interface ForwardEnd {
  /** Goes on elsewhere instead of answering with this error, where that is possible; it harms nobody to send the request again. */
  elsewhere(error: GatehouseError): boolean;
  /** Answers with an error in the client's protocol. */
  answer(exchange: Exchange, error: GatehouseError): void;
  /** Event that tells a streaming client that its answer was cut; '' when there is none or it would not be understood now. */
  cutEvent(exchange: Exchange, shape: ResponseShape | undefined, error: GatehouseError): string;
  /** The exchange is over: count it. */
  ended(exchange: Exchange, outcome: Outcome, error: GatehouseError | undefined): void;
}
