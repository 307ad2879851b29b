/** One thing that the admin API does: what the dispatcher needs to decide, and what the OpenAPI document says of it. */
import type { IncomingMessage } from 'node:http';
import type { ZodType } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Caller, Role } from './access/caller.ts';
import type { Doorkeeper } from './access/doorkeeper.ts';
import type { Answer } from './answer.ts';
import type { AdminHandle } from './handle.ts';

/** Methods of the API; HEAD is GET without its body. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A request as an operation sees it. */
export interface Call {
  readonly handle: AdminHandle;
  readonly request: IncomingMessage;
  /** Path parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly doorkeeper: Doorkeeper;
  readonly notice: (notice: NoticeEvent) => void;
}

/** Groups of paths that `admin.anonymous` may open to everybody. */
export type PublicGroup = 'metrics' | 'health';

/** See the file's head. */
export interface Operation {
  readonly method: Method;
  /** With parameters in braces: `/api/v1/keys/{id}`. */
  readonly path: string;
  /** What it does, as a phrase. */
  readonly what: string;
  /** Least role; `none`: nobody is asked who they are. */
  readonly role: Role | 'none';
  /** Callers of one tenant may ask as well. */
  readonly tenants?: boolean;
  readonly group?: PublicGroup;
  /** Section of the OpenAPI document. */
  readonly tag: string;
  /** Parameters of the query with what they mean. */
  readonly query?: Readonly<Record<string, string>>;
  /** Document that is sent, and its media types; JSON by default. */
  readonly body?: ZodType;
  readonly bodyTypes?: readonly string[];
  /** `If-Match` is asked for. */
  readonly versioned?: boolean;
  /** Status when all goes well, 200 by default, and the document that comes with it. */
  readonly status?: number;
  readonly answer?: ZodType | 'text' | 'html' | 'redirect';
  run(call: Call): Answer | Promise<Answer>;
}
