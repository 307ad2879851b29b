/** A breach of HTTP's grammar or of a limit, found by the codec. */
import type { ErrorCode } from '../kernel/error.ts';

/** What is wrong with bytes from the wire. `kind` is the name of the counter that moves. */
export class HttpFault {
  readonly kind: string;
  readonly code: ErrorCode;
  readonly message: string;

  /** `kind`: snake_case counter name; `code`: answer when it comes from a client; `message`: what and why. */
  constructor(kind: string, code: ErrorCode, message: string) {
    this.kind = kind;
    this.code = code;
    this.message = message;
  }
}
