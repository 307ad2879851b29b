/** Our own mistakes, met while bytes or deadlines are handled: they cost one connection and are told, not the worker. */

let reporter: ((error: unknown) => void) | undefined;

/** Names who is told of exceptions; without anyone they are thrown. */
export function reportExceptions(to: (error: unknown) => void): void {
  reporter = to;
}

/** Tells of an exception. */
export function reportException(error: unknown): void {
  if (reporter === undefined) throw error;
  reporter(error);
}
