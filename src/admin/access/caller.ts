/** Who asks the admin API, and what a role may do. */

/** From the least to the most. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
/** What a caller may do: look, run things, or everything. */
export type Role = (typeof ROLES)[number];

/** Who asks. */
export interface Caller {
  /** For the history and the log, such as `alice` or `ci`. */
  readonly name: string;
  readonly role: Role;
  /** The only tenant it may see and change; '' for all, and for the gateway itself. */
  readonly tenant: string;
  /** Scopes that a caller of one tenant may give to keys. */
  readonly scopes: readonly string[];
}

/** Who asks where nobody is asked who they are. */
export const LOCAL: Caller = { name: 'local', role: 'admin', tenant: '', scopes: [] };

/** Whether a role is enough where `needed` is asked for. */
export const suffices = (role: Role, needed: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needed);
