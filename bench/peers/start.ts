/** What is run to start a proxy. */

/** How to start a proxy. */
export interface Start {
  command: string;
  args: string[];
  env?: Record<string, string>;
}
