/** What a request to a model API asks for, and the tables it is recognised by. */

/** What is asked for; named as OpenTelemetry's `gen_ai.operation.name` where it has a name. */
export type OperationName =
  | 'chat'
  | 'text_completion'
  | 'responses'
  | 'response_tokens'
  | 'response_compaction'
  | 'embeddings'
  | 'moderations'
  | 'images'
  | 'speech'
  | 'rerank'
  | 'score'
  | 'classify'
  | 'pooling'
  | 'tokenize'
  | 'detokenize'
  | 'messages'
  | 'count_tokens'
  | 'models'
  | 'model';

/** A recognised operation; always one of a few constant objects. */
export interface Operation {
  readonly protocol: 'openai' | 'anthropic';
  readonly name: OperationName;
  /** The request has a JSON body with `model` at its top level. */
  readonly hasBody: boolean;
  /** Streams tell their usage only when asked by `stream_options.include_usage`. */
  readonly asksUsage: boolean;
}

/** Makes the constant object of an operation. */
export function operation(
  protocol: Operation['protocol'],
  name: OperationName,
  hasBody: boolean,
  asksUsage = false,
): Operation {
  return Object.freeze({ protocol, name, hasBody, asksUsage });
}

/** A model as `/v1/models` lists it. */
export interface ModelEntry {
  readonly id: string;
  readonly ownedBy: string;
  /** Seconds since 1970-01-01 UTC. */
  readonly createdAt: number;
}
