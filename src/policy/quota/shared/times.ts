/** How long what takes between a node and the store. */

/** How long a node may use what it has leased, without hearing from the store (milliseconds). */
export const NODE_LEASE_MS = 10_000;
/** How often a node says that it is there. */
export const BEAT_MS = 500;
/** After how long it is missed. */
export const MISSING_MS = 2000;
/** After how long it is forgotten. */
export const FORGET_MS = 600_000;
/** When a node begins to spend its own part: the others have missed it by then, and leave it its part. */
export const ALONE_MS = 3000;
/** Without the store a node goes by what it has read of the ledger no longer ago than this (milliseconds). */
export const RECENT_MS = 30_000;
