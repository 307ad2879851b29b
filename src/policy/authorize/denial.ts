/** A request that may not go on, and by which rule. */
import { GatehouseError } from '../../kernel/error.ts';

/** See the file's head. */
export interface Denial {
  /** `plan:trial/models`, `route:admin/scopes`, `tenant/disabled`: for logs, metrics and clients. */
  readonly rule: string;
  readonly error: GatehouseError;
  /** Whether the rule is met could not be told. */
  readonly failed?: boolean;
}

/** 403 with the name of the rule. `challenge`: value of WWW-Authenticate, where other scopes would help (RFC 6750 §3.1). */
export function deny(rule: string, message: string, param?: string, challenge?: string): Denial {
  const fields = challenge === undefined ? {} : { fields: [['WWW-Authenticate', challenge] as const] };
  return { rule, error: new GatehouseError('forbidden', message, { rule, ...(param && { param }), ...fields }) };
}
