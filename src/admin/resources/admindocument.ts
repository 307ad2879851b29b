/** What is kept of an admin token: everything but the token itself. */
import type { Role } from '../access/caller.ts';

/** Kind of the documents in the store. */
export const ADMIN_TOKEN_KIND = 'adminToken';

/** Times are milliseconds since 1970. */
export interface AdminTokenDocument {
  name: string;
  role: Role;
  tenant: string;
  scopes: string[];
  /** SHA-256 in hexadecimal. */
  hash: string;
  /** Beginning and end of the token, to tell tokens apart. */
  hint: string;
  createdAt: number;
  expiresAt?: number | undefined;
  disabled: boolean;
}
