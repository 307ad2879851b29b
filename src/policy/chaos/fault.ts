/** What happens to one request. */
export interface Fault {
  /** Name of the rule; `header` when the request asked for it. */
  readonly rule: string;
  readonly delay?: number | undefined;
  readonly abort?: number | undefined;
  readonly throughput?: number | undefined;
  readonly reset?: number | undefined;
  readonly malformed?: boolean | undefined;
}
