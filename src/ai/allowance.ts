/** How much of a limit a caller has left, as response fields tell it. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until all of it is free again. */
  readonly resetMs: number;
}

/** By what is counted; undefined where nothing limits it. */
export interface Allowances {
  readonly requests: Allowance | undefined;
  /** Input and output together. */
  readonly tokens: Allowance | undefined;
  readonly inputTokens: Allowance | undefined;
  readonly outputTokens: Allowance | undefined;
}
