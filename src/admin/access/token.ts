/** Tokens of admin callers: `gh_admin_` and 192 random bits. What is kept is their SHA-256: they are random, so nothing slower is needed. */
import { createHash } from 'node:crypto';
import { mintKey } from '../../policy/access/access.ts';

/** What every admin token of ours begins with. */
export const ADMIN_PREFIX = 'gh_admin_';

/** Makes a token. */
export const mintAdminToken = (): string => ADMIN_PREFIX + mintKey('live').slice('gh_live_'.length);

/** What is kept of a token: `printf %s TOKEN | sha256sum`. */
export const hashAdminToken = (token: string): string => createHash('sha256').update(token).digest('hex');
